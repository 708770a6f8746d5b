/* SPDX-License-Identifier: MIT */
/* The only lists of status codes, command kinds and counters: name, unit, description. */
#ifndef HEAM_TABLES_H
#define HEAM_TABLES_H

#define HEAM_STATUS_TABLE(X)                                                                                   \
    X(OK, "done")                                                                                              \
    X(OUT_OF_MEMORY, "the memory of this machine is exhausted")                                                \
    X(BAD_ARGUMENT, "an argument is out of its range")                                                         \
    X(BAD_LEVELS, "the levels or their counts are not a DRAM hierarchy")                                       \
    X(BAD_COMMAND, "a command's kind or scope is out of range, or a needed command is missing")                \
    X(BAD_ROW, "a constraint row names a level, command or window that does not exist")                        \
    X(BAD_CHANNEL, "a channel's parameters are out of range")                                                  \
    X(BAD_REFRESH, "refreshes fall due before those of all ranks can be over; lengthen nREFI or turn refresh off")  \
    X(BAD_HOST, "a host parameter is out of range")                                                            \
    X(BAD_STACK, "the channels of a stack differ, or their results are not in its base die, or it has no accumulator")  \
    X(BAD_ITEM, "an item addresses something that does not exist or breaks the order of its operands")         \
    X(BAD_ARRIVAL, "a GnR arrives later than ticks can be counted")                                            \
    X(BAD_STATE, "the bank is not in a state in which this command is legal")                                  \
    X(TOO_EARLY, "a constraint row forbids the command at this cycle")                                         \
    X(BAD_ENGINE, "this engine cannot do this memory's shape, or this processor cannot do this engine")        \
    X(WRONG_CALL, "this call is not allowed in the handle's present state")                                    \
    X(STUCK, "the simulation cannot make progress")

#define HEAM_KIND_TABLE(X)                                                                                     \
    X(ACT) X(PRE) X(PREA) X(RD) X(WR) X(REF) X(PIM_RD) X(PIM_MOV) X(PIM_RDRES) X(PIM_WRLUT) X(PIM_LUT) X(OTHER) \
    X(REFPB) X(REFSB) X(PIM_WRIMM)

#define HEAM_COUNTER_TABLE(X)                                                                                  \
    X(cycles, "cycles", "cycles of the channel's clock until its last event")                                  \
    X(act, "commands", "ACT issued")                                                                           \
    X(pre, "commands", "PREpb issued")                                                                         \
    X(prea, "commands", "PREab issued")                                                                        \
    X(rd, "commands", "RD issued (bursts to the host)")                                                        \
    X(wr, "commands", "WR issued")                                                                             \
    X(ref, "commands", "REFab issued")                                                                         \
    X(pim_rd, "commands", "PIM_RD issued (bursts to a PE)")                                                    \
    X(pim_mov, "commands", "PIM_MOV issued (bursts from a PE to the merge node)")                              \
    X(pim_rdres, "commands", "PIM_RDRES issued (bursts of results to the host)")                               \
    X(pim_wrlut, "commands", "PIM_WRLUT issued (bursts broadcast to the LUTs)")                                \
    X(pim_lut, "commands", "PIM_LUT issued (vectors read from a LUT)")                                         \
    X(row_hits, "requests", "requests whose row was open before their first command")                          \
    X(row_misses, "requests", "requests whose bank was closed before their first command")                     \
    X(row_conflicts, "requests", "requests that found another row open before their first command")            \
    X(instructions, "instructions", "PIM instructions delivered")                                              \
    X(reads, "requests", "plain reads accepted")                                                               \
    X(writes, "requests", "plain writes accepted")                                                             \
    X(reads_retired, "requests", "plain reads whose RD was issued")                                            \
    X(writes_retired, "requests", "plain writes whose WR was issued")                                          \
    X(forwarded, "requests", "reads answered from the write queue")                                            \
    X(coalesced, "requests", "writes absorbed by a queued write")                                              \
    X(read_latency, "cycles", "sum over completed plain reads of completion minus arrival")                    \
    X(reads_completed, "requests", "plain reads whose data have arrived")                                      \
    X(rank_active, "cycles", "sum over ranks (pseudo channels) of cycles with a bank open")                    \
    X(bank_active, "cycles", "sum over banks of cycles with a row open")                                       \
    X(energy, "energy", "energy of the commands, in the unit of the channel's description")                    \
    X(energy_peak, "energy", "largest energy of the commands in a window")                                     \
    X(energy_rank_peak, "energy", "largest energy of one rank's (pseudo channel's) commands in a window")      \
    X(path_busy, "cycles", "cycles in which the instruction path was taken")                                   \
    X(alu_busy, "cycles", "sum over PEs of cycles in which the ALU worked")                                    \
    X(merge_busy, "cycles", "cycles in which the merge node's adder worked")                                   \
    X(lut_busy, "cycles", "sum over PEs of cycles in which the LUT port was taken")                            \
    X(queue_peak, "entries", "largest number of requests or operands queued at once")                          \
    X(ref_bank, "commands", "REFpb or REFsb issued")                                                           \
    X(pre_unasked, "commands", "PREpb that no request asked for (row policy, refresh of a bank)")                   \
    X(second_busy, "cycles", "sum over ranks of cycles in which the second stage of delivery was taken")             \
    X(pe_hits, "operands", "operands whose row was in its PE's cache or on its way there")                     \
    X(pe_misses, "operands", "operands looked up in a PE's cache in vain")                                     \
    X(merged, "operands", "operands that took their row from the read of an identical one")                    \
    X(pe_prefetches, "operands", "FILLs looked up in a PE's cache")                                            \
    X(pe_filled, "bursts", "bursts written into the caches of PEs")                                            \
    X(pe_read, "bursts", "bursts that came out of the caches of PEs")                                          \
    X(pim_xmov, "commands", "PIM_XMOV issued (bursts of results over the stack's crossbar)")                   \
    X(stack_busy, "cycles", "cycles in which the stack node's adder worked for this channel")                  \
    X(pim_wrimm, "commands", "PIM_WRIMM issued (bursts of immediates sent to PEs)")

#define HEAM_HOST_COUNTER_TABLE(X)                                                                             \
    X(gnrs, "GnRs", "bags finished")                                                                           \
    X(items, "items", "operands issued")                                                                       \
    X(lines, "lines", "host lines looked up in the LLC or sent to memory")                                     \
    X(llc_hits, "lines", "host lines served by the LLC")                                                       \
    X(bursts_read, "bursts", "bursts requested from plain channels")                                           \
    X(result_bursts, "bursts", "result bursts received from PIM channels")                                     \
    X(added_bytes, "bytes", "bytes that passed the host's adder")                                              \
    X(latency_ticks, "ticks", "sum over GnRs of finish minus arrival")                                         \
    X(stalled_outstanding, "visits", "issue stopped because all outstanding bursts were in flight")            \
    X(stalled_window, "visits", "issue stopped because the GnR window or the batch barrier was closed")        \
    X(stalled_instructions, "visits", "issue stopped because a channel's instruction buffer was full")         \
    X(outstanding_peak, "bursts", "largest number of bursts in flight at once")

/* What time may go to, beside the resources of constraint rows. */
#define HEAM_REASON_TABLE(X)                                                                                   \
    X(LATENCY, "data latency")                                                                                 \
    X(ALU, "ALU")                                                                                              \
    X(LUT, "LUT or cache port")                                                                                \
    X(MERGE, "merge node")                                                                                     \
    X(CROSSBAR, "stack crossbar")                                                                              \
    X(STACK, "stack node")                                                                                     \
    X(PATH, "instruction path")                                                                                \
    X(SLOT, "command slot")                                                                                    \
    X(ORDER, "order of operands")                                                                              \
    X(TAG, "batch tags")                                                                                       \
    X(SUMS, "accumulators of the stack")                                                                       \
    X(REFRESH, "refresh")                                                                                      \
    X(ISSUE, "host issue")                                                                                     \
    X(ADDER, "host adder")                                                                                     \
    X(WINDOW, "window or barrier")                                                                             \
    X(ARRIVAL, "arrivals")                                                                                     \
    X(UNKNOWN, "not traced")

#define HEAM_ENUM_STATUS(name, text) HEAM_##name,
enum { HEAM_STATUS_TABLE(HEAM_ENUM_STATUS) HEAM_STATUS_COUNT };
#undef HEAM_ENUM_STATUS

#define HEAM_ENUM_COUNTER(name, unit, text) HEAM_COUNT_##name,
enum { HEAM_COUNTER_TABLE(HEAM_ENUM_COUNTER) HEAM_COUNTERS };
#undef HEAM_ENUM_COUNTER

#define HEAM_ENUM_HOST_COUNTER(name, unit, text) HEAM_HOST_##name,
enum { HEAM_HOST_COUNTER_TABLE(HEAM_ENUM_HOST_COUNTER) HEAM_HOST_COUNTERS };
#undef HEAM_ENUM_HOST_COUNTER

#endif
