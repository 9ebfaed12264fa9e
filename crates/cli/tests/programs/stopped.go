// Stops properly: writes the file `ready` once it has its handlers, and the name of the signal that asked it into `stopped`, both
// in the directory that it is started in.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	asked := make(chan os.Signal, 1)
	// Ctrl+C and Ctrl+Break are Interrupt; the end of the console, of the session and of the system are SIGTERM.
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	write("ready", "ready\n")
	write("stopped", (<-asked).String()+"\n")
}

func write(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		panic(err)
	}
}
