/* One image, cold: prints when main began, then when the model was loaded and the first result was
 * there.  With `pause` it waits for a line before it loads and for another after the result, so
 * that its memory can be looked at meanwhile. */
#include "runner.h"

#include <stdio.h>

static void wait_for_line(void) {
    char command[16];
    double number;
    runner_read_command(command, &number);
}

bool runner_cold(const char *dtype, const char *model, const char *input, bool pause) {
    printf("{\"begun\": %.6f}\n", runner_seconds());
    fflush(stdout);
    if (pause) wait_for_line();

    runner_session session = {0};
    runner_context context = {0};
    bool ok =
        runner_load(&session, dtype, model, input) && runner_context_create(&context, &session, 1);
    const double loaded = runner_seconds();
    ok = ok && runner_run(&context);
    if (ok) {
        printf("{\"loaded\": %.6f, \"first\": %.6f}\n", loaded, runner_seconds());
        fflush(stdout);
        if (pause) wait_for_line();
    }
    runner_context_free(&context);
    runner_unload(&session);
    return ok;
}
