/* The least that a program can do to hear SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

int main(void)
{
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	puts("ready");
	fflush(stdout);

	int signal;
	sigwait(&term, &signal);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
	return 0;
}
