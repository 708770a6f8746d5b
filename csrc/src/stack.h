/* SPDX-License-Identifier: MIT */
/* A stack node: the adder over the PIM channels of a stack, and the crossbar to it (docs/engine.md, "A stack node"). What its
   channels need of it stands in pim.h. */
#ifndef HEAM_STACK_H
#define HEAM_STACK_H

#include "channel.h"

typedef struct heam_stack heam_stack;
/* A channel (by its number) must look again in a cycle. */
typedef void heam_stack_wake(void *owner, uint16_t channel, uint64_t cycle);

int32_t heam_stack_create(uint32_t capacity, heam_stack_wake *wake, void *owner, heam_stack **out);
void heam_stack_destroy(heam_stack *self);
/* Adds a channel; they come in order. HEAM_BAD_STACK: it cannot be in a stack, or does not go with the first one. */
int32_t heam_stack_join(heam_stack *self, heam_pim *pim);
/* Takes an accumulator for a GnR that will send `parts` results, unless it took one before; false: none is free. */
bool heam_stack_admit(heam_stack *self, uint64_t gnr, uint32_t gnr_slot, uint32_t parts, uint64_t bursts);
/* Has an accumulator been freed since this was last asked? */
bool heam_stack_freed(heam_stack *self);
/* The ledger's number of what freed an accumulator last. */
uint32_t heam_stack_freed_by(const heam_stack *self);
/* When a burst may next go over the crossbar; HEAM_NEVER: none waits. */
uint64_t heam_stack_next_tick(const heam_stack *self);
/* Sends that burst. False: memory is exhausted. */
bool heam_stack_send(heam_stack *self);

#endif
