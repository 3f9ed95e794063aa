package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// fakeCells has cells run by a fakeRunner from now on.
func fakeCells() {
	newCellRunner = func(func(string)) (cellRunner, error) { return fakeRunner{}, nil }
}

// fakeRunner runs the cells of the interop matrix without peers. FAKE in its environment says what
// comes of cells, as a list with semicolons of PATTERN=OUTCOME[:REASON], where the first that fits decides and all
// others pass. OUTCOME may also be error, hang (until it is told to end), deaf (for ever) or late (200 ms).
// FAKE_DRIVERS are the drivers that there are (virtual,uml,container), or slow: none answers before the search is given up; FAKE_PROBE is a system that calls nothing unsupported.
type fakeRunner struct{}

func (fakeRunner) Available(ctx context.Context) (all []matrix.Availability, err error) {
	have := []string{"virtual", "uml", "container"}
	if list := os.Getenv("FAKE_DRIVERS"); list != "" {
		have = strings.Split(list, ",")
	}
	if slices.Contains(have, "slow") {
		fmt.Println("looking for drivers")
		<-ctx.Done()
	}
	versions := map[matrix.Driver]string{matrix.Virtual: "virtual time", matrix.UML: "user-mode Linux 6.1", matrix.Container: "Docker 20.10", matrix.Namespace: "Linux 6.1"}
	for _, d := range matrix.Drivers() {
		a := matrix.Availability{Driver: d, Version: versions[d], Systems: map[matrix.System]matrix.Environment{}}
		if !slices.Contains(have, string(d)) {
			a.Reason = "there is none here"
		}
		for _, s := range matrix.Systems() {
			a.Systems[s] = matrix.Environment{Version: string(s) + " for tests", Image: "sha256:" + strings.Repeat("0", 8) + string(s)}
		}
		all = append(all, a)
	}
	return all, nil
}

func (fakeRunner) Probe(_ context.Context, s matrix.System, _ matrix.Driver) error {
	if string(s) == os.Getenv("FAKE_PROBE") {
		return errors.New("it passed")
	}
	return nil
}

func (fakeRunner) Run(ctx context.Context, c matrix.Cell, dir string, ready func()) (r matrix.Result, err error) {
	log := filepath.Join(dir, "peers", "responder", "charon.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return r, err
	}
	if err := os.WriteFile(log, []byte("00[DMN] Starting IKE charon daemon\n<b>"+c.String()+"</b>\n"), 0o644); err != nil {
		return r, err
	}
	ready()
	for _, rule := range strings.Split(os.Getenv("FAKE"), ";") {
		pattern, what, ok := strings.Cut(rule, "=")
		if !ok {
			continue
		}
		g, err := matrix.NewGlob(strings.TrimSpace(pattern))
		if err != nil {
			return r, err
		}
		if !g.Cell(c.CellID) {
			continue
		}
		word, reason, _ := strings.Cut(what, ":")
		switch word {
		case "error":
			return r, errors.New(reason)
		case "hang":
			<-ctx.Done()
			return r, fmt.Errorf("waiting for the peer: %w", context.Cause(ctx))
		case "deaf":
			select {}
		case "late":
			time.Sleep(200 * time.Millisecond)
			return matrix.Result{Outcome: result.Passed, Ready: 3 * time.Second, Memory: 60 << 20}, nil
		}
		return matrix.Result{Outcome: result.Outcome(word), Reason: reason}, nil
	}
	return matrix.Result{Outcome: result.Passed, Ready: 300 * time.Millisecond, Memory: 20 << 20}, nil
}

func (fakeRunner) Close() error { return nil }
