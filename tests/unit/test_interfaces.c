/* test_interfaces.c - which network interfaces lead to no other machine, from a folder like
 * /sys/class/net. */
#include "comm/interfaces.h"
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[64];

/* Makes the folders of `path`, one after another, and at its end a file if there is a text. */
static void make(const char *path, const char *text)
{
    char whole[256];
    FILE *file;

    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        mkdir(whole, 0700);
        *at = '/';
    }
    if (text == NULL) {
        assert_int_equal(mkdir(whole, 0700), 0);
        return;
    }
    file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool internal(const char *name)
{
    return ith_interface_is_internal(root, name);
}

static void names_of_containers(void **state)
{
    (void)state;
    assert_true(internal("docker0"));
    assert_true(internal("br-0a1b2c3d4e5f"));
    assert_true(internal("virbr1"));
    assert_true(internal("cni-podman0"));
    assert_false(internal("br-lan"));
    assert_false(internal("eth0"));
    assert_false(internal("dockerized"));
}

static void bridges_by_their_ports(void **state)
{
    (void)state;
    make("inner/brif/veth1/uevent", "INTERFACE=veth1\nIFINDEX=7\n");
    make("inner/brif/tap0/tun_flags", "0x1002\n");
    make("empty/brif", NULL);
    make("office/brif/veth2/uevent", "INTERFACE=veth2\n");
    make("office/brif/enp3s0/device", NULL);
    make("bonded/brif/bond0/lower_enp4s0", NULL);
    make("overlay/brif/vx1/uevent", "DEVTYPE=vxlan\nINTERFACE=vx1\n");
    make("plain/address", "02:00:00:00:00:01\n");
    assert_true(internal("inner"));
    assert_true(internal("empty"));
    assert_false(internal("office"));
    assert_false(internal("bonded"));
    assert_false(internal("overlay"));
    assert_false(internal("plain"));
    assert_false(internal("absent"));
}

static int begin(void **state)
{
    (void)state;
    folder_make(root);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_containers),
                                       cmocka_unit_test(bridges_by_their_ports)};

    return cmocka_run_group_tests(tests, begin, end);
}
