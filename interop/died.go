package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/interop/control"
)

// mourned are the daemons whose death was told in full.
type mourned struct {
	mu   sync.Mutex
	pids map[int]bool
}

// first reports whether it is the first time that a process is asked for.
func (m *mourned) first(pid int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pids[pid] {
		return false
	}
	if m.pids == nil {
		m.pids = map[int]bool{}
	}
	m.pids[pid] = true
	return true
}

// deathPatience is for the answer of an agent that is asked beside something that has failed.
const deathPatience = 2 * time.Second

// dead is how the daemon has died, if it has: with the reason that it gives, once, and in short from then on.
func (p *peer) dead(ctx context.Context) error {
	d := p.death(ctx)
	switch {
	case d == nil:
		return nil
	case p.mourned.first(d.PID):
		return errors.New(deathWords(d))
	}
	return fmt.Errorf("%s has died (%s), as told before", d.Name, d.How)
}

// deadBehind is the same where something has failed, which may be the first sign: a process that ends closes its sockets
// a moment before it is gone.
func (p *peer) deadBehind(ctx context.Context) error {
	for over := time.Now().Add(lastWords); ; {
		dead := p.dead(ctx)
		if dead != nil || time.Now().After(over) || pause(ctx, lastWords/10) != nil {
			return dead
		}
	}
}

// death is that of a daemon; nil: none has died, or there is nobody to tell.
func (p *peer) death(ctx context.Context) *control.Death {
	if p.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, deathPatience)
	defer cancel()
	all, err := p.client.Died(ctx)
	if err != nil || len(all) == 0 {
		return nil // what has failed has an error of its own
	}
	return &all[0]
}

// deathWords are what is told of a daemon that has died: how, and why in its own words, unless somebody else knows why.
func deathWords(d *control.Death) string {
	words := fmt.Sprintf("%s has died (%s)", d.Name, d.How)
	if d.Killed {
		return words
	}
	for _, log := range [][]byte{d.Log, d.Output} {
		if line := reasonIn(log); line != "" {
			return words + ": " + line
		}
	}
	for _, log := range [][]byte{d.Log, d.Output} {
		if line := lastLine(log); line != "" {
			return words + "; the last of its log: " + line
		}
	}
	return words
}

// giveUp is what a program says when it gives itself up: an assertion of pluto's, a signal that a thread of charon's
// got, a fatal error of iked's, or what the C library prints.
var giveUp = regexp.MustCompile(`(?m)(?:ABORT: |\bthread \d+ received \d+|\bfatal(?: in \w+)?: |[Aa]ssertion .*failed|\*\*\* .* \*\*\*|\w+\(\): invalid |double free).*$`)

// reasonIn is the last line of a log that says why its program gave itself up, from where it does.
func reasonIn(log []byte) string {
	var last []byte
	if all := giveUp.FindAll(log, -1); len(all) > 0 {
		last = all[len(all)-1]
	}
	return short(last)
}

func lastLine(log []byte) string {
	log = bytes.TrimSpace(log)
	return short(log[bytes.LastIndexByte(log, '\n')+1:])
}

// short is a line of a log that does not fill a page.
func short(line []byte) string {
	const most = 300
	line = bytes.ToValidUTF8(bytes.TrimSpace(line), []byte("?"))
	if len(line) <= most {
		return string(line)
	}
	for line = line[:most]; !utf8.Valid(line); {
		line = line[:len(line)-1]
	}
	return string(line) + "…"
}
