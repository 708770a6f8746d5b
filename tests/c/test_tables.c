/* SPDX-License-Identifier: MIT */
/* Names, units and descriptions are complete and unambiguous. */
#include <string.h>

#include "check.h"
#include "heam_sim.h"

typedef const char *(*lookup)(uint32_t);

static uint32_t check_names(lookup name, lookup unit, lookup text) {
    uint32_t count = 0;
    while (count < 10000 && name(count) != NULL) {
        CHECK(strlen(name(count)) > 0);
        if (unit != NULL) {
            CHECK(unit(count) != NULL && strlen(unit(count)) > 0);
            CHECK(text(count) != NULL && strlen(text(count)) > 0);
        }
        for (uint32_t other = 0; other < count; other++) {
            CHECK(strcmp(name(count), name(other)) != 0);
        }
        count++;
    }
    CHECK(name(UINT32_MAX) == NULL);
    if (unit != NULL) {
        CHECK(unit(count) == NULL && text(count) == NULL);
    }
    return count;
}

int main(void) {
    CHECK(check_names(heam_counter_name, heam_counter_unit, heam_counter_text) > 10);
    CHECK(check_names(heam_host_counter_name, heam_host_counter_unit, heam_host_counter_text) > 5);
    CHECK(check_names(heam_reason_name, NULL, heam_reason_text) > 10);
    CHECK_EQ(check_names(heam_kind_name, NULL, NULL), HEAM_KIND_PIM_WRIMM + 1);
    CHECK(strcmp(heam_kind_name(HEAM_KIND_PIM_WRLUT), "PIM_WRLUT") == 0);
    CHECK(strcmp(heam_kind_name(HEAM_KIND_REFSB), "REFSB") == 0);
    CHECK(strcmp(heam_status_name(0), "HEAM_OK") == 0);
    int32_t status = 0;
    while (status < 1000 && heam_status_name(status) != NULL) {
        CHECK(strncmp(heam_status_name(status), "HEAM_", 5) == 0);
        CHECK(heam_status_text(status) != NULL && strlen(heam_status_text(status)) > 0);
        status++;
    }
    CHECK(status > 5 && status < 1000);
    CHECK(heam_status_name(-1) == NULL && heam_status_text(-1) == NULL && heam_status_text(status) == NULL);
    return check_report();
}
