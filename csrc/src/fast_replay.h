/* SPDX-License-Identifier: MIT */
/* The replay front end over fast channels. */
#ifndef HEAM_FAST_REPLAY_H
#define HEAM_FAST_REPLAY_H

#include "fast.h"

typedef struct fast_replay fast_replay;

/* HEAM_BAD_ENGINE: this engine cannot do this memory, or this processor cannot do this engine. `engine` is HEAM_ENGINE_* and is
   resolved when it is HEAM_ENGINE_AUTO. */
int32_t heam_fast_create(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec, uint32_t offers_per_cycle,
                         uint32_t with_log, uint32_t engine, fast_replay **out);
void heam_fast_destroy(fast_replay *self);
uint32_t heam_fast_engine(const fast_replay *self);
/* As the functions of heam_replay; the requests have been checked. */
int32_t heam_fast_run(fast_replay *self, fast_front *requests, heam_ring *log);
int32_t heam_fast_drain(fast_replay *self, heam_ring *log);
uint32_t heam_fast_counters(const fast_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity);
void heam_fast_latencies(const fast_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity);
uint64_t heam_fast_cycle(const fast_replay *self);

#endif
