package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios"
)

const (
	// stopPatience bounds the end of a peer where nobody else has set a limit.
	stopPatience = 20 * time.Second
	// evidencePatience is for what a peer has to say in the end, also of one that hangs.
	evidencePatience = 10 * time.Second
	// lastWords is for a machine that ends by itself to have ended.
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
	Dropped  []uint64          `json:"dropped"` // frames for each interface that the peer did not take in time
	Missing  []string          `json:"missing,omitempty"`
}

// givenDir is the folder of the evidence with the files that the scenario has given the peer.
const givenDir = "files"

// keep writes the peer's evidence. What a peer that hangs does not tell is named in about.json.
func (p *peer) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, evidencePatience)
	defer cancel()
	files := map[string][]byte{}
	a := account{
		Name: p.cfg.Name, Image: p.about.Image, Driver: p.about.Driver, Daemon: p.about.Daemon, Kernel: p.about.Kernel,
		Packages: p.about.Packages, Ready: p.about.Ready.Round(time.Millisecond).String(), Memory: p.about.Memory,
	}
	if p.welcome != nil {
		a.ESP, a.AH = p.welcome.ESP, p.welcome.AH
	}
	for _, w := range p.site.wires {
		a.Dropped = append(a.Dropped, w.dropped.Load())
	}
	missing := func(err error) {
		if err != nil {
			a.Missing = append(a.Missing, strings.Split(err.Error(), "\n")...)
		}
	}
	if p.daemon != nil {
		told, err := p.daemon.evidence(ctx)
		missing(err)
		for name, b := range told {
			files[name] = b
		}
	}
	if p.client != nil && a.ESP {
		for name, argv := range map[string][]string{
			"xfrm-state.txt": {"ip", "-s", "xfrm", "state"}, "xfrm-policy.txt": {"ip", "-s", "xfrm", "policy"},
		} {
			b, err := p.output(ctx, argv...)
			missing(err)
			if err == nil {
				files[name] = b
			}
		}
	}
	for path, data := range p.cfg.Files {
		files[filepath.Join(givenDir, path)] = []byte(data)
	}
	if p.machine != nil {
		name, text := p.machine.printed()
		files[name] = text
	}
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	files["about.json"] = append(b, '\n')
	return writeFiles(p.cfg.Dir, files)
}

// writeFiles writes files below a folder, which it makes. A name that leads out of it is an error.
func writeFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var all []error
	for name, b := range files {
		err := root.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = root.WriteFile(name, b, 0o644)
		}
		all = append(all, err)
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
