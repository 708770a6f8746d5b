/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include <stddef.h>

#include "heam_sim.h"

typedef struct {
    const char *name;
    const char *unit;
    const char *text;
} entry;

#define AS_STATUS(name, text) {"HEAM_" #name, "", text},
#define AS_KIND(name) {#name, "", ""},
#define AS_COUNTER(name, unit, text) {#name, unit, text},

static const entry statuses[] = {HEAM_STATUS_TABLE(AS_STATUS)};
static const entry kinds[] = {HEAM_KIND_TABLE(AS_KIND)};
static const entry reasons[] = {HEAM_REASON_TABLE(AS_STATUS)};
static const entry counters[] = {HEAM_COUNTER_TABLE(AS_COUNTER)};
static const entry host_counters[] = {HEAM_HOST_COUNTER_TABLE(AS_COUNTER)};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define FIELD(table, index, field) ((size_t)(index) < COUNT(table) ? (table)[index].field : NULL)

const char *heam_status_name(int32_t status) {
    return status < 0 ? NULL : FIELD(statuses, status, name);
}
const char *heam_status_text(int32_t status) {
    return status < 0 ? NULL : FIELD(statuses, status, text);
}
const char *heam_kind_name(uint32_t kind) {
    return FIELD(kinds, kind, name);
}
const char *heam_reason_name(uint32_t reason) {
    const char *name = FIELD(reasons, reason, name);
    return name == NULL ? NULL : name + sizeof("HEAM_") - 1;
}
const char *heam_reason_text(uint32_t reason) {
    return FIELD(reasons, reason, text);
}
const char *heam_counter_name(uint32_t counter) {
    return FIELD(counters, counter, name);
}
const char *heam_counter_unit(uint32_t counter) {
    return FIELD(counters, counter, unit);
}
const char *heam_counter_text(uint32_t counter) {
    return FIELD(counters, counter, text);
}
const char *heam_host_counter_name(uint32_t counter) {
    return FIELD(host_counters, counter, name);
}
const char *heam_host_counter_unit(uint32_t counter) {
    return FIELD(host_counters, counter, unit);
}
const char *heam_host_counter_text(uint32_t counter) {
    return FIELD(host_counters, counter, text);
}
