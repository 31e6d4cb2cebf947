/* Encodes TensorBoard events by protobuf-c. Reads one command a line:
 *   version WALL
 *   scalars WALL STEP N, then N lines TAG VALUE
 *   hparams WALL N, then N lines KEY n NUMBER or KEY s WORD
 *   end WALL STATUS
 * (numbers as C's %a) and prints each message's bytes as a line of hex. */
#include "events.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX = 64, WORD = 128 };

static void print(const Tb__Event *e)
{
    size_t n = tb__event__get_packed_size(e);
    uint8_t *bytes = malloc(n + 1);
    tb__event__pack(e, bytes);
    for (size_t i = 0; i < n; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\n");
    free(bytes);
}

static void print_summary(double wall, int64_t step, Tb__Value **values,
                          size_t n)
{
    Tb__Summary summary = TB__SUMMARY__INIT;
    Tb__Event e = TB__EVENT__INIT;
    summary.n_value = n;
    summary.value = values;
    e.wall_time = wall;
    e.step = step;
    e.what_case = TB__EVENT__WHAT_SUMMARY;
    e.summary = &summary;
    print(&e);
}

static void print_version(double wall)
{
    Tb__Event e = TB__EVENT__INIT;
    e.wall_time = wall;
    e.what_case = TB__EVENT__WHAT_FILE_VERSION;
    e.file_version = "brain.Event:2";
    print(&e);
}

static int print_scalars(double wall)
{
    static Tb__Value values[MAX];
    static char tags[MAX][WORD];
    Tb__Value *list[MAX];
    long long step;
    int n;
    if (scanf("%lld %d", &step, &n) != 2 || n > MAX) {
        return 1;
    }
    for (int i = 0; i < n; i++) {
        tb__value__init(&values[i]);
        if (scanf("%127s %f", tags[i], &values[i].simple_value) != 2) {
            return 1;
        }
        values[i].tag = tags[i];
        values[i].value_case = TB__VALUE__VALUE_SIMPLE_VALUE;
        list[i] = &values[i];
    }
    print_summary(wall, step, list, (size_t)n);
    return 0;
}

static void print_plugin(double wall, char *tag,
                         const Tb__HParamsPluginData *content)
{
    static uint8_t bytes[1 << 16];
    Tb__PluginData plugin = TB__PLUGIN_DATA__INIT;
    Tb__SummaryMetadata metadata = TB__SUMMARY_METADATA__INIT;
    Tb__Value value = TB__VALUE__INIT, *list[] = {&value};
    plugin.plugin_name = "hparams";
    plugin.content.data = bytes;
    plugin.content.len = tb__hparams_plugin_data__pack(content, bytes);
    metadata.plugin_data = &plugin;
    value.tag = tag;
    value.metadata = &metadata;
    print_summary(wall, 0, list, 1);
}

static int print_hparams(double wall)
{
    static Tb__Hparam hparams[MAX];
    static Tb__Any values[MAX];
    static char keys[MAX][WORD], words[MAX][WORD];
    Tb__Hparam *list[MAX];
    Tb__SessionStartInfo start = TB__SESSION_START_INFO__INIT;
    Tb__HParamsPluginData content = TB__HPARAMS_PLUGIN_DATA__INIT;
    int n;
    char kind;
    if (scanf("%d", &n) != 1 || n > MAX) {
        return 1;
    }
    for (int i = 0; i < n; i++) {
        tb__hparam__init(&hparams[i]);
        tb__any__init(&values[i]);
        if (scanf("%127s %c %127s", keys[i], &kind, words[i]) != 3) {
            return 1;
        }
        values[i].kind_case = kind == 'n' ? TB__ANY__KIND_NUMBER_VALUE
                                          : TB__ANY__KIND_STRING_VALUE;
        if (kind == 'n') {
            values[i].number_value = strtod(words[i], NULL);
        } else {
            values[i].string_value = words[i];
        }
        hparams[i].key = keys[i];
        hparams[i].value = &values[i];
        list[i] = &hparams[i];
    }
    start.n_hparams = (size_t)n;
    start.hparams = list;
    start.start_time_secs = wall;
    content.data_case = TB__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO;
    content.session_start_info = &start;
    print_plugin(wall, "_hparams_/session_start_info", &content);
    return 0;
}

static int print_end(double wall)
{
    Tb__SessionEndInfo end = TB__SESSION_END_INFO__INIT;
    Tb__HParamsPluginData content = TB__HPARAMS_PLUGIN_DATA__INIT;
    if (scanf("%d", &end.status) != 1) {
        return 1;
    }
    end.end_time_secs = wall;
    content.data_case = TB__HPARAMS_PLUGIN_DATA__DATA_SESSION_END_INFO;
    content.session_end_info = &end;
    print_plugin(wall, "_hparams_/session_end_info", &content);
    return 0;
}

int main(void)
{
    char word[WORD];
    double wall;
    int rc = 0;
    while (rc == 0 && scanf("%127s %lf", word, &wall) == 2) {
        switch (word[0]) {
        case 'v':
            print_version(wall);
            break;
        case 's':
            rc = print_scalars(wall);
            break;
        case 'h':
            rc = print_hparams(wall);
            break;
        default:
            rc = print_end(wall);
        }
    }
    return rc;
}
