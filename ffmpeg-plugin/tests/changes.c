/* Begins to send frames of one size and pixel format to the group of its argument, and goes on with another. */
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>

static void free_frame(void *opaque, uint8_t *data)
{
    AVFrame *frame = (AVFrame *)data;

    (void)opaque;
    av_frame_free(&frame);
}

static int send_frame(AVFormatContext *mesh, enum AVPixelFormat format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int result;

    if (!frame || !packet)
        return -1;
    frame->format = format;
    frame->width = width;
    frame->height = height;
    if (av_frame_get_buffer(frame, 0) < 0)
        return -1;
    packet->buf = av_buffer_create((uint8_t *)frame, sizeof(*frame), free_frame, NULL, AV_BUFFER_FLAG_READONLY);
    packet->data = (uint8_t *)frame;
    packet->size = sizeof(*frame);
    result = packet->buf ? av_write_frame(mesh, packet) : -1;
    av_packet_free(&packet);
    return result;
}

int main(int argc, char **argv)
{
    AVFormatContext *mesh = NULL;
    AVStream *stream;

    avdevice_register_all();
    if (argc != 2 || avformat_alloc_output_context2(&mesh, NULL, "mcm", argv[1]) < 0)
        return 1;
    stream = avformat_new_stream(mesh, NULL);
    if (!stream)
        return 1;
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->codec_id = AV_CODEC_ID_WRAPPED_AVFRAME;
    stream->codecpar->format = AV_PIX_FMT_UYVY422;
    stream->codecpar->width = 320;
    stream->codecpar->height = 240;
    stream->avg_frame_rate = (AVRational){25, 1};
    if (avformat_write_header(mesh, NULL) < 0 || send_frame(mesh, AV_PIX_FMT_UYVY422, 320, 240) < 0)
        return 1;
    if (send_frame(mesh, AV_PIX_FMT_GRAY10LE, 160, 120) != AVERROR(EINVAL))
        return 1;
    av_write_trailer(mesh);
    avformat_free_context(mesh);
    return 0;
}
