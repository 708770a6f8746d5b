/* SPDX-License-Identifier: MIT */
/* Every single allocation of the library fails once: the call says so, nothing leaks, and the rest still works. */
#include "check.h"
#include "support.h"
#include "work.h"

#define ATTEMPTS_MAX 2000

static work bags;
static uint64_t offsets_buffer[ITEMS_MAX + 1];

static int32_t use_device(void) {
    toy memory;
    heam_spec *spec = NULL;
    heam_device *device = NULL;
    toy_init(&memory);
    int32_t status = heam_spec_create(&memory.desc, &spec, NULL);
    CHECK((spec != NULL) == status_is(status, "HEAM_OK"));
    if (spec != NULL) {
        status = heam_device_create(spec, &device);
        CHECK((device != NULL) == status_is(status, "HEAM_OK"));
    }
    heam_device_destroy(device);
    heam_spec_destroy(spec);
    return status;
}

/* Runs to the end or to the first refusal. A feed that was refused has taken nothing and may be repeated. */
static int32_t drive(heam_system *system) {
    uint32_t state = HEAM_STATE_NEED_INPUT;
    uint64_t fed = 0;
    while (state != HEAM_STATE_DONE) {
        int32_t status = heam_system_run(system, 1000, &state);
        if (!status_is(status, "HEAM_OK")) {
            return status;
        }
        if (state == HEAM_STATE_NEED_INPUT) {
            uint64_t n = bags.gnrs - fed < 20 ? bags.gnrs - fed : 20;
            heam_items items = work_view(&bags, fed, n, offsets_buffer);
            fed += n;
            status = heam_system_feed(system, &items, fed == bags.gnrs, NULL);
            if (!status_is(status, "HEAM_OK")) {
                CHECK_IS(heam_system_feed(system, &items, fed == bags.gnrs, NULL), "HEAM_OK");
                return status;
            }
        }
    }
    CHECK_EQ(heam_system_finished(system), bags.gnrs);
    return 0;
}

static int32_t use_system(void) {
    heam_spec *spec = toy_spec();
    if (spec == NULL) {
        return use_device(); /* that allocation has its own test; here it only ends the attempt */
    }
    heam_channel_desc desc[2] = {plain_channel(), pim_channel()};
    desc[1].stack = desc[1].stack_tags = desc[1].xmov_cycles = 1;
    heam_host_desc host = small_host();
    const heam_spec *specs[2] = {spec, spec};
    heam_system *system = NULL;
    host.llc_sets = 4;
    host.llc_ways = 2;
    int32_t status = heam_system_create(&host, 2, desc, specs, 1, &system, NULL);
    CHECK((system != NULL) == status_is(status, "HEAM_OK"));
    if (system != NULL) {
        status = drive(system);
    }
    heam_system_destroy(system);
    heam_spec_destroy(spec);
    return status;
}

static int32_t use_replay(void) {
    static uint16_t zeros[300];
    static uint16_t bank[300];
    static uint32_t row[300];
    static uint8_t reads[300];
    static uint64_t address[300];
    heam_spec *spec = toy_spec();
    if (spec == NULL) {
        return use_device();
    }
    for (uint32_t i = 0; i < 300; i++) {
        bank[i] = (uint16_t)(i * 5 % 8);
        row[i] = i * 7 % 32;
    }
    heam_channel_desc desc = plain_channel();
    heam_replay *replay = NULL;
    int32_t status = heam_replay_create(1, &desc, spec, 4, 1, &replay);
    CHECK((replay != NULL) == status_is(status, "HEAM_OK"));
    if (replay != NULL) {
        status = heam_replay_run(replay, 300, zeros, bank, row, zeros, reads, NULL, NULL);
        if (status_is(status, "HEAM_OK")) {
            const heam_map_desc map = {.burst_bits = 6, .bits = 2, .channel = zeros, .bank = bank, .row = row, .column = zeros};
            status = heam_replay_run_addresses(replay, &map, 300, address, reads);
        }
        if (status_is(status, "HEAM_OK")) {
            status = heam_replay_drain(replay);
        }
    }
    heam_replay_destroy(replay);
    heam_spec_destroy(spec);
    return status;
}

static void exhaust(int32_t (*use)(void), const char *name, bool spec_apart) {
    uint64_t n = 1;
    for (; n < ATTEMPTS_MAX; n++) {
        fail_allocation(n);
        int32_t status = use();
        bool hit = allocation_failed();
        fail_allocation(0);
        if (!hit) {
            CHECK_IS(status, "HEAM_OK");
            break;
        }
        if (!spec_apart || n > 3) { /* a spec is three allocations; that its creation fails is seen by use_device */
            CHECK_IS(status, "HEAM_OUT_OF_MEMORY");
        }
    }
    printf("%s: %d allocations failed one by one\n", name, (int)n - 1);
    CHECK(n > 5 && n < ATTEMPTS_MAX);
}

int main(void) {
    work_random(&bags, 100, 4711);
    exhaust(use_device, "device", false);
    exhaust(use_system, "system", true);
    exhaust(use_replay, "replay", true);
    return check_report();
}
