/* Compares what src/layout.rs says of FFmpeg's structures with the installed headers. Prints one line for each
 * difference. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <stddef.h>
#include <stdio.h>

static int differences;

static void is(const char *what, size_t found, size_t declared)
{
    if (found != declared) {
        printf("%s: %zu in the headers, %zu declared\n", what, found, declared);
        differences++;
    }
}

#define AT(type, field, declared) is(#type "." #field, offsetof(type, field), declared)

int main(void)
{
    AT(AVClass, class_name, 0);
    AT(AVClass, item_name, 8);
    AT(AVClass, option, 16);
    AT(AVClass, version, 24);
    AT(AVClass, category, 36);
    AT(AVOption, offset, 16);
    AT(AVOption, type, 20);
    AT(AVOption, default_val, 24);
    AT(AVOption, min, 32);
    AT(AVOption, max, 40);
    AT(AVOption, flags, 48);
    AT(AVOption, unit, 56);
    is("AVOption", sizeof(AVOption), 64);
    AT(AVPacket, buf, 0);
    AT(AVPacket, pts, 8);
    AT(AVPacket, dts, 16);
    AT(AVPacket, data, 24);
    AT(AVPacket, size, 32);
    AT(AVPacket, stream_index, 36);
    AT(AVPacket, flags, 40);
    AT(AVPacket, duration, 64);
    AT(AVFrame, data, 0);
    AT(AVFrame, linesize, 64);
    AT(AVFrame, width, 104);
    AT(AVFrame, height, 108);
    AT(AVFrame, format, 116);
    AT(AVFormatContext, priv_data, 24);
    AT(AVFormatContext, nb_streams, 44);
    AT(AVFormatContext, streams, 48);
    AT(AVCodecParameters, codec_type, 0);
    AT(AVCodecParameters, codec_id, 4);
    AT(AVChannelLayout, nb_channels, 4);
    AT(AVInputFormat, name, 0);
    AT(AVInputFormat, long_name, 8);
    AT(AVInputFormat, flags, 16);
    AT(AVInputFormat, extensions, 24);
    AT(AVInputFormat, codec_tag, 32);
    AT(AVInputFormat, priv_class, 40);
    AT(AVInputFormat, mime_type, 48);
    AT(AVOutputFormat, name, 0);
    AT(AVOutputFormat, long_name, 8);
    AT(AVOutputFormat, audio_codec, 32);
    AT(AVOutputFormat, video_codec, 36);
    AT(AVOutputFormat, subtitle_codec, 40);
    AT(AVOutputFormat, flags, 44);
    AT(AVOutputFormat, codec_tag, 48);
    AT(AVOutputFormat, priv_class, 56);
#if LIBAVFORMAT_VERSION_MAJOR < 61
    /* Later ones are private, and so not in the headers. */
    AT(AVInputFormat, raw_codec_id, 56);
    AT(AVInputFormat, priv_data_size, 60);
    AT(AVInputFormat, read_header, 80);
    AT(AVInputFormat, read_packet, 88);
    AT(AVInputFormat, read_close, 96);
#endif
#if LIBAVFORMAT_VERSION_MAJOR == 59
    AT(AVOutputFormat, priv_data_size, 64);
    AT(AVOutputFormat, write_header, 72);
    AT(AVOutputFormat, write_packet, 80);
    AT(AVOutputFormat, write_trailer, 88);
    AT(AVStream, time_base, 16);
    AT(AVStream, avg_frame_rate, 72);
    AT(AVStream, codecpar, 208);
    AT(AVStream, r_frame_rate, 200);
#else
    AT(AVStream, codecpar, 16);
    AT(AVStream, time_base, 32);
    AT(AVStream, avg_frame_rate, 88);
#if LIBAVFORMAT_VERSION_MAJOR < 62
    AT(AVStream, r_frame_rate, 216);
#else
    AT(AVStream, r_frame_rate, 204);
#endif
#endif
#if LIBAVFORMAT_VERSION_MAJOR < 61
    AT(AVFormatContext, url, 56);
    AT(AVFormatContext, interrupt_callback, 200);
#else
    AT(AVFormatContext, url, 88);
    AT(AVFormatContext, interrupt_callback, 216);
#endif
    is("AVFMT_NOFILE", AVFMT_NOFILE, 1);
    is("AVFMT_FLAG_NONBLOCK", AVFMT_FLAG_NONBLOCK, 4);
    is("AV_PKT_FLAG_KEY", AV_PKT_FLAG_KEY, 1);
    is("AV_PKT_FLAG_CORRUPT", AV_PKT_FLAG_CORRUPT, 2);
    is("AV_BUFFER_FLAG_READONLY", AV_BUFFER_FLAG_READONLY, 1);
    is("AV_INPUT_BUFFER_PADDING_SIZE", AV_INPUT_BUFFER_PADDING_SIZE, 64);
    is("AV_OPT_SEARCH_FAKE_OBJ", AV_OPT_SEARCH_FAKE_OBJ, 2);
    is("AV_CLASS_CATEGORY_DEVICE_VIDEO_OUTPUT", AV_CLASS_CATEGORY_DEVICE_VIDEO_OUTPUT, 40);
    is("AV_CLASS_CATEGORY_DEVICE_AUDIO_INPUT", AV_CLASS_CATEGORY_DEVICE_AUDIO_INPUT, 43);
    return differences != 0;
}
