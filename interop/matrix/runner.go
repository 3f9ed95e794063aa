package matrix

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Runner runs cells. Its methods are called from several goroutines at once, and end soon
// after their context has ended: one that does not is left alone, and its cell is broken.
type Runner interface {
	// Available says of each driver that the runner knows whether it can be used on this machine.
	Available(ctx context.Context) ([]Availability, error)

	// Probe gives the system, under the driver, a case that is impossible there. It returns nil
	// if that was answered with unsupported, and else what happened instead: the word of
	// such a pair is worth nothing.
	Probe(ctx context.Context, s System, d Driver) error

	// Run runs a cell and leaves its evidence in the folder, which is empty: that of the
	// scenario as ipseclab run leaves it, and for each peer what it says of itself in peers/NAME. It
	// calls ready when certificates are made and peers are ready: the cell has its time limit from then on. An
	// error means that nothing is known of the cell.
	Run(ctx context.Context, c Cell, dir string, ready func()) (Result, error)
}

// Availability says whether a driver can be used on this machine, and with which systems.
type Availability struct {
	Driver  Driver
	Reason  string // why it cannot be used; empty: it can
	Version string // of what it works with
	Systems map[System]Environment
}

// Environment is a system as a driver has it.
type Environment struct {
	Version string // of the daemon, as its package has it
	Image   string // hash of its root filesystem
	Missing string // why it cannot be used; empty: it can
}

// Result is what came of a cell.
type Result struct {
	Outcome result.Outcome
	Reason  string        // the first thing that was not passed; unsupported has one
	Ready   time.Duration // until the last of the peers could be used; zero: not measured
	Memory  uint64        // of the largest of the peers, in bytes; zero: not measured

	// Says is what peers say of themselves: names and versions of daemon and kernel.
	Says map[System]string
}

// NoDriver is the error of a run for which there is no driver.
type NoDriver struct{ Reasons []string }

func (e *NoDriver) Error() string {
	return "no driver for real peers can be used here: " + strings.Join(strings.Fields(strings.Join(e.Reasons, "; ")), " ")
}

// Choose picks the drivers of a run. Those that are asked for must all be there. If none is, they
// are user-mode Linux and one of containers and namespaces, in which a daemon can do the same, as
// far as they are there; notes say what was left out, and why.
func Choose(all []Availability, asked []Driver) (use []Driver, notes []string, err error) {
	reason := func(d Driver) string {
		for _, a := range all {
			if a.Driver == d {
				return a.Reason
			}
		}
		return "this build has no such driver"
	}
	if len(asked) > 0 {
		var missing []string
		for _, d := range asked {
			if why := reason(d); why != "" {
				missing = append(missing, fmt.Sprintf("%s: %s", d, why))
			}
		}
		if missing != nil {
			return nil, nil, &NoDriver{missing}
		}
		return asked, nil, nil
	}
	var missing []string
	for _, d := range []Driver{UML, Container, Namespace} {
		why := reason(d)
		switch {
		case why != "":
			missing = append(missing, fmt.Sprintf("%s: %s", d, why))
		case d == Namespace && slices.Contains(use, Container):
			notes = append(notes, "namespace: left out, since container does the same; --driver namespace has it run")
		default:
			use = append(use, d)
		}
	}
	if use == nil {
		return nil, nil, &NoDriver{missing}
	}
	if reason(Virtual) == "" {
		use = append([]Driver{Virtual}, use...)
	}
	return use, append(missing, notes...), nil
}
