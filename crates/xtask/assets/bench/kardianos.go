// A program on github.com/kardianos/service.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/kardianos/service"
)

const clockMonotonic = 1

func monotonic() int64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

type program struct{}

// Start is called before the library listens for signals, so readiness is told a little later.
func (program) Start(service.Service) error {
	time.AfterFunc(20*time.Millisecond, func() { fmt.Println("ready") })
	return nil
}

func (program) Stop(service.Service) error {
	fmt.Println(monotonic())
	return nil
}

func main() {
	s, err := service.New(program{}, &service.Config{Name: "stop-latency"})
	if err == nil {
		err = s.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
