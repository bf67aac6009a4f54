/* Stands in for SVT-JPEG-XS in tests: the interface of version 0.10 in memory, but samples are stored as they are.
 * It refuses what the library would have to refuse, or could not work with. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define BAD_VERSION 0x40001001
#define BAD_PARAMETER ((int32_t)0x80001005)
#define EMPTY ((int32_t)0x80002033)
#define INVALID ((int32_t)0x80003001)

typedef struct encoder {
    uint32_t source_width, source_height;
    uint8_t input_bit_depth;
    int32_t colour_format;
    uint32_t bpp_numerator, bpp_denominator, ndecomp_v, ndecomp_h, quantization, slice_height;
    uint64_t use_cpu_flags;
    uint32_t threads_num;
    uint8_t cpu_profile;
    uint32_t print_bands_info, coding_signs_handling, coding_significance, rate_control_mode;
    uint32_t coding_vertical_prediction_mode, verbose;
    void (*callback_send)(struct encoder *, void *);
    void *callback_send_context;
    void (*callback_get)(struct encoder *, void *);
    void *callback_get_context;
    uint8_t slice_packetization_mode;
    void *private_ptr;
    uint8_t coding_raw_disable, cap_compat;
    uint16_t profile_override, level_override;
    uint8_t msb_aligned, colour_transform, lossless;
    uint8_t padding[55];
} encoder;

typedef struct decoder {
    uint64_t use_cpu_flags;
    uint32_t verbose, threads_num;
    uint8_t packetization_mode;
    int32_t proxy_mode;
    void (*callback_send)(struct decoder *, void *);
    void *callback_send_context;
    void (*callback_get)(struct decoder *, void *);
    void *callback_get_context;
    void *private_ptr;
} decoder;

typedef struct {
    uint32_t width, height;
    uint8_t bit_depth;
    int32_t format;
    uint8_t components_num;
    struct {
        uint32_t width, height, byte_size;
    } components[4];
} image_config;

typedef struct {
    struct {
        void *data[4];
        uint32_t stride[4], alloc_size[4];
        void *release;
        uint8_t ready;
    } image;
    struct {
        uint8_t *buffer;
        uint32_t allocation_size, used_size;
        void *release;
        uint8_t ready, last_packet;
    } bitstream;
    void *user;
} frame;

typedef struct {
    void *api;
    image_config config;
    frame pending;
    int is_pending;
} codec;

static int codecs_open;

EXPORT int stand_in_open(void) { return codecs_open; }

static void configure(image_config *c, uint32_t width, uint32_t height, uint8_t depth, int32_t format) {
    memset(c, 0, sizeof *c);
    c->width = width;
    c->height = height;
    c->bit_depth = depth;
    c->format = format;
    c->components_num = 3;
    for (int i = 0; i < 3; i++) {
        c->components[i].width = i && format != 4 ? width / 2 : width;
        c->components[i].height = i && format == 2 ? height / 2 : height;
        c->components[i].byte_size = c->components[i].width * c->components[i].height * (depth > 8 ? 2 : 1);
    }
}

static codec *open_codec(void *api, const image_config *config) {
    codec *c = calloc(1, sizeof *c);
    c->api = api;
    c->config = *config;
    codecs_open++;
    return c;
}

/* A picture must be in memory as the configuration says, strides being counted in samples. */
static int buffers_fit(const codec *c, const frame *f) {
    for (int i = 0; i < 3; i++)
        if (!f->image.data[i] || f->image.stride[i] != c->config.components[i].width ||
            f->image.alloc_size[i] < c->config.components[i].byte_size)
            return 0;
    return f->bitstream.buffer != NULL;
}

EXPORT int32_t svt_jpeg_xs_encoder_load_default_parameters(uint64_t major, uint64_t minor, encoder *e) {
    if (major != 0 || minor > 10)
        return BAD_VERSION;
    memset(e, 0, sizeof *e);
    e->bpp_denominator = 1;
    e->ndecomp_v = 2;
    e->ndecomp_h = 5;
    e->slice_height = 16;
    e->coding_significance = 1;
    e->level_override = 0xFFFF;
    return 0;
}

EXPORT int32_t svt_jpeg_xs_encoder_get_image_config(uint64_t major, uint64_t minor, encoder *e, image_config *c,
                                                    uint32_t *bytes) {
    if (major != 0 || minor > 10)
        return BAD_VERSION;
    configure(c, e->source_width, e->source_height, e->input_bit_depth, e->colour_format);
    uint64_t bits = (uint64_t)e->source_width * e->source_height * e->bpp_numerator / e->bpp_denominator;
    *bytes = (uint32_t)((bits + 7) / 8);
    return 0;
}

EXPORT int32_t svt_jpeg_xs_encoder_init(uint64_t major, uint64_t minor, encoder *e) {
    image_config c;
    uint32_t bytes;
    if (svt_jpeg_xs_encoder_get_image_config(major, minor, e, &c, &bytes))
        return BAD_VERSION;
    if (e->ndecomp_v != 2 || e->ndecomp_h != 5 || e->slice_height != 16 || e->level_override != 0xFFFF ||
        e->coding_significance != 1 || e->use_cpu_flags != 0xFFFF || e->verbose != 1 || e->callback_send ||
        e->callback_get || e->slice_packetization_mode || e->lossless || e->threads_num - 1 >= 64 ||
        e->coding_signs_handling != e->coding_vertical_prediction_mode || e->source_width == 1000)
        return BAD_PARAMETER;
    e->private_ptr = open_codec(e, &c);
    return 0;
}

static uint8_t *put16(uint8_t *p, uint32_t v) {
    *p++ = (uint8_t)(v >> 8);
    *p++ = (uint8_t)v;
    return p;
}

EXPORT int32_t svt_jpeg_xs_encoder_send_picture(encoder *e, frame *f, uint8_t blocking) {
    codec *c = e->private_ptr;
    if (c->api != e || !blocking || c->is_pending || !buffers_fit(c, f))
        return BAD_PARAMETER;
    uint32_t size = 2 + 28 + 10 + 6 + 2;
    for (int i = 0; i < 3; i++)
        size += c->config.components[i].byte_size;
    if (size > f->bitstream.allocation_size)
        return (int32_t)0x80001000;
    uint8_t *p = f->bitstream.buffer;
    p = put16(p, 0xFF10);
    p = put16(p, 0xFF12);
    memset(p, 0, 26);
    put16(p, 26);
    put16(p + 2, size >> 16);
    put16(p + 4, size);
    put16(p + 6, 0x3540);
    put16(p + 10, c->config.width);
    put16(p + 12, c->config.height);
    p[18] = 3;
    p = put16(p + 26, 0xFF13);
    p = put16(p, 8);
    for (int i = 0; i < 3; i++) {
        *p++ = c->config.bit_depth;
        *p++ = i == 0 || c->config.format == 4 ? 0x11 : c->config.format == 2 ? 0x22 : 0x21;
    }
    p = put16(put16(put16(p, 0xFF20), 4), 0);
    for (int i = 0; i < 3; i++) {
        memcpy(p, f->image.data[i], c->config.components[i].byte_size);
        p += c->config.components[i].byte_size;
    }
    put16(p, 0xFF11);
    c->pending = *f;
    c->pending.bitstream.used_size = size;
    c->is_pending = 1;
    return 0;
}

static int32_t take(codec *c, frame *f) {
    if (!c->is_pending)
        return EMPTY;
    *f = c->pending;
    c->is_pending = 0;
    return 0;
}

EXPORT int32_t svt_jpeg_xs_encoder_get_packet(encoder *e, frame *f, uint8_t blocking) {
    return blocking ? take(e->private_ptr, f) : EMPTY;
}

static void close_codec(void **private_ptr) {
    free(*private_ptr);
    *private_ptr = NULL;
    codecs_open--;
}

EXPORT void svt_jpeg_xs_encoder_close(encoder *e) { close_codec(&e->private_ptr); }

EXPORT int32_t svt_jpeg_xs_decoder_init(uint64_t major, uint64_t minor, decoder *d, const uint8_t *p, size_t size,
                                        image_config *out) {
    if (major != 0 || minor > 10)
        return BAD_VERSION;
    if (d->packetization_mode || d->proxy_mode || d->callback_send || d->callback_get || d->threads_num - 1 >= 64 ||
        d->use_cpu_flags != 0xFFFF || size < 48)
        return BAD_PARAMETER;
    uint8_t sampling = p[2 + 28 + 4 + 3];
    configure(out, (uint32_t)p[14] << 8 | p[15], (uint32_t)p[16] << 8 | p[17], p[2 + 28 + 4],
              sampling == 0x11 ? 4 : sampling == 0x22 ? 2 : 3);
    d->private_ptr = open_codec(d, out);
    return 0;
}

EXPORT int32_t svt_jpeg_xs_decoder_send_frame(decoder *d, frame *f, uint8_t blocking) {
    codec *c = d->private_ptr;
    if (c->api != d || !blocking || c->is_pending || !buffers_fit(c, f))
        return BAD_PARAMETER;
    c->pending = *f;
    c->is_pending = 1;
    return 0;
}

EXPORT int32_t svt_jpeg_xs_decoder_get_frame(decoder *d, frame *f, uint8_t blocking) {
    codec *c = d->private_ptr;
    int32_t code = blocking ? take(c, f) : EMPTY;
    if (code)
        return code;
    const uint8_t *p = f->bitstream.buffer;
    /* A profile that no encoder writes: what follows cannot be decoded. */
    if (p[10] == 0xDE && p[11] == 0xAD)
        return INVALID;
    p += 2 + 28 + 10 + 6;
    for (int i = 0; i < 3; i++) {
        memcpy(f->image.data[i], p, c->config.components[i].byte_size);
        p += c->config.components[i].byte_size;
    }
    return 0;
}

EXPORT void svt_jpeg_xs_decoder_close(decoder *d) { close_codec(&d->private_ptr); }
