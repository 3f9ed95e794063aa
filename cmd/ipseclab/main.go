package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gvisor.dev/gvisor/pkg/log"
)

func main() {
	log.SetLevel(log.Warning) // netstack says on standard error, with the wall clock, what it thinks of martian packets
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(ipseclab(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
