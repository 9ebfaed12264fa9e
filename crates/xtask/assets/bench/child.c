/*
 * A service as small as one can be: says in a FIFO when its code began, then waits for SIGTERM.
 *
 * child FIFO stop    ends in the handler of SIGTERM
 * child FIFO deaf    ignores SIGTERM
 * child FIFO crash   ends at once with an error
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void end(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (argc != 3)
		return 2;
	signal(SIGTERM, strcmp(argv[2], "deaf") == 0 ? SIG_IGN : end);

	char line[64];
	int length = snprintf(line, sizeof line, "%d %lld\n", (int)getpid(),
			      now.tv_sec * 1000000000LL + now.tv_nsec);
	int fifo = open(argv[1], O_WRONLY | O_NONBLOCK);
	if (fifo < 0 || write(fifo, line, length) != length)
		return 3;
	close(fifo);
	if (strcmp(argv[2], "crash") == 0)
		return 1;
	for (;;)
		pause();
}
