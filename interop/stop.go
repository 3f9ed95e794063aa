package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios"
)

const (
	// stopPatience bounds the end of a peer where nobody else has set a limit.
	stopPatience = 20 * time.Second
	// evidencePatience is for what a peer has to say in the end, also of one that hangs.
	evidencePatience = 10 * time.Second
	// lastWords is for a machine or a daemon that ends by itself to have ended.
	lastWords = 200 * time.Millisecond
)

// Stop writes what the peer has to say into its folder, and ends it, whether it answers or not.
func (p *peer) Stop(ctx context.Context) error {
	p.stopped.Do(func() {
		var all []error
		if p.cfg.Dir != "" {
			all = append(all, p.keep(ctx))
		}
		p.ending = errors.Join(append(all, p.end())...)
		if p.ending != nil {
			p.ending = fmt.Errorf("interop: end of peer %s: %w", p.cfg.Name, p.ending)
		}
	})
	return p.ending
}

// end ends the machine, then the wires, and removes the files that they used.
func (p *peer) end() error {
	var all []error
	if p.machine != nil {
		all = append(all, p.machine.kill())
	}
	if p.client != nil {
		p.client.Close()
	}
	closeWires(p.site.wires...)
	if p.site.dir != "" {
		all = append(all, os.RemoveAll(p.site.dir))
	}
	if p.forget != nil {
		p.forget()
	}
	return errors.Join(all...)
}

// diagnose adds to an error about the start of a peer the last that its machine has printed, unless that has nothing
// to do with it.
func (p *peer) diagnose(err error) error {
	if p.machine == nil || errors.Is(err, scenarios.ErrUnsupported) {
		return err
	}
	select {
	case <-p.machine.ended(): // what it says of that is on its way
	case <-time.After(lastWords):
	}
	_, text := p.machine.printed()
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	const last = 5
	if len(lines) > last {
		lines = lines[len(lines)-last:]
	}
	if said := strings.TrimSpace(strings.Join(lines, "\n\t")); said != "" {
		return fmt.Errorf("%w\n\tthe last of what it has printed:\n\t%s", err, said)
	}
	return err
}
