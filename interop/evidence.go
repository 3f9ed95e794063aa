package interop

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/interop/control"
	"github.com/ipseclab/ipseclab/scenarios"
)

// evidence is what is kept of a peer: files by their names, and what could not be had.
type evidence struct {
	files   map[string][]byte
	missing []string // a line each
	died    string   // how the daemon has, which is not asked then; "": it has not
}

// take takes a file, or why there is none.
func (e *evidence) take(name string, b []byte, err error) {
	if err != nil {
		e.missing = append(e.missing, strings.Split(name+": "+err.Error(), "\n")...)
		return
	}
	if e.files == nil {
		e.files = map[string][]byte{}
	}
	e.files[name] = b
}

// read takes a file of the peer's.
func (e *evidence) read(ctx context.Context, from *control.Client, name, path string) {
	b, leftOut, err := from.ReadFile(ctx, path)
	e.take(name, []byte(scenarios.PeerOutput{Output: string(b), LeftOut: leftOut}.Text()), err)
}

// encode takes what a value says, or why there is none.
func (e *evidence) encode(name string, value any, err error) {
	var b []byte
	if err == nil {
		b, err = json.MarshalIndent(value, "", "  ")
	}
	e.take(name, append(b, '\n'), err)
}

// write writes the files below a folder, which it makes. A name that leads out of it is an error.
func (e *evidence) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var all []error
	for name, b := range e.files {
		err := root.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = root.WriteFile(name, b, 0o644)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// account is about.json.
type account struct {
	Name     string            `json:"name"`
	Image    string            `json:"image"`
	Driver   string            `json:"driver"`
	Daemon   string            `json:"daemon"`
	Kernel   string            `json:"kernel"`
	ESP      bool              `json:"esp"` // of the kernel; without it the daemon protects the packets itself
	AH       bool              `json:"ah"`
	Packages map[string]string `json:"packages,omitempty"`
	Ready    string            `json:"ready"`
	Memory   uint64            `json:"memory,omitempty"`
	Dropped  []uint64          `json:"dropped"`        // frames for each interface that the peer did not take in time
	Died     string            `json:"died,omitempty"` // how the daemon has ended by itself
	Missing  []string          `json:"missing,omitempty"`
}

// givenDir is the folder of the evidence with the files that the scenario has given the peer.
const givenDir = "files"

// keep writes the peer's evidence. What a peer that hangs does not tell is named in about.json.
func (p *peer) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, evidencePatience)
	defer cancel()
	var all evidence
	if d := p.death(ctx); d != nil {
		all.died = deathWords(d)
	}
	if p.daemon != nil {
		p.daemon.evidence(ctx, &all)
	}
	if p.client != nil && p.welcome != nil && p.welcome.ESP {
		for _, what := range []string{"state", "policy"} {
			b, err := p.output(ctx, "ip", "-s", "xfrm", what)
			all.take("xfrm-"+what+".txt", b, err)
		}
	}
	for path, data := range p.cfg.Files {
		all.take(filepath.Join(givenDir, path), []byte(data), nil)
	}
	if p.machine != nil {
		name, text := p.machine.printed()
		all.take(name, text, nil)
	}
	all.encode("about.json", p.account(&all), nil)
	return all.write(p.cfg.Dir)
}

// account is what the lab says of the peer, and of its evidence.
func (p *peer) account(e *evidence) account {
	a := account{
		Name: p.cfg.Name, Image: p.about.Image, Driver: p.about.Driver, Daemon: p.about.Daemon, Kernel: p.about.Kernel,
		Packages: p.about.Packages, Ready: p.about.Ready.Round(time.Millisecond).String(), Memory: p.about.Memory, Died: e.died, Missing: e.missing,
	}
	if p.welcome != nil {
		a.ESP, a.AH = p.welcome.ESP, p.welcome.AH
	}
	for _, w := range p.site.wires {
		a.Dropped = append(a.Dropped, w.dropped.Load())
	}
	return a
}
