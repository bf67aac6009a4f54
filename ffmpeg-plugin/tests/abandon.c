/* Sends five frames to the group of its argument, and frees the output without its trailer. */
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 64, HEIGHT = 64, SIZE = WIDTH * HEIGHT * 3 / 2, FRAMES = 5 };

int main(int argc, char **argv)
{
    AVFormatContext *mesh = NULL;
    AVStream *stream;
    char line[16];

    avdevice_register_all();
    if (argc != 2 || avformat_alloc_output_context2(&mesh, NULL, "mcm", argv[1]) < 0)
        return 1;
    stream = avformat_new_stream(mesh, NULL);
    if (!stream)
        return 1;
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->codec_id = AV_CODEC_ID_RAWVIDEO;
    stream->codecpar->format = AV_PIX_FMT_YUV420P;
    stream->codecpar->width = WIDTH;
    stream->codecpar->height = HEIGHT;
    stream->avg_frame_rate = (AVRational){25, 1};
    if (avformat_write_header(mesh, NULL) < 0)
        return 1;
    for (int i = 0; i < FRAMES; i++) {
        AVPacket *packet = av_packet_alloc();

        if (!packet || av_new_packet(packet, SIZE) < 0)
            return 1;
        memset(packet->data, 16 * i, SIZE);
        packet->pts = packet->dts = av_rescale_q(i, (AVRational){1, 25}, stream->time_base);
        if (av_write_frame(mesh, packet) < 0)
            return 1;
        av_packet_free(&packet);
    }
    avformat_free_context(mesh);
    puts("abandoned");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) ? 0 : 1;
}
