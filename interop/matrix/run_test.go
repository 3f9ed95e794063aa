package matrix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func TestRun(t *testing.T) {
	all := load(t, cases(`{pairs: [lab→lab, lab→strongswan-5.9], without: [{drivers: [namespace], reason: not there}]}`))
	f := &fake{do: func(_ context.Context, c Cell, dir string) (Result, error) {
		require.DirExists(t, dir)
		switch c.Scenario() {
		case "main_suites/des":
			return Result{Outcome: result.Failed, Reason: "step 1: no data"}, nil
		case "main_suites/3des":
			return Result{Outcome: result.Unsupported, Reason: "no 3DES"}, nil
		case "main_suites/aes-128":
			return Result{}, errors.New("the world fell over")
		case "rekey_quick":
			return Result{Outcome: result.Failed, Reason: "known"}, nil
		}
		return Result{Outcome: result.Passed, Ready: time.Second, Memory: 1 << 20}, nil
	}}
	var ended []string
	dir := t.TempDir()
	m := start(t, t.Context(), dir, f, Options{
		Cells: all, Drivers: []Driver{Virtual, UML, Namespace}, Shards: []string{"1/2"},
		Expect: expectations(t, all, `
			{"cells": "rekey_quick:*@uml", "outcome": "failed", "reason": "it is known", "note": "#7"},
			{"cells": "main_psk:*@uml", "outcome": "failed", "reason": "it was so", "note": "#7"}`),
		Ended: func(c result.MatrixCell, kept bool) { ended = append(ended, c.ID); require.False(t, kept) },
	})
	require.Len(t, m.Cells, 15)
	require.Len(t, ended, 15)
	for text, want := range map[string]result.Kind{
		"main_psk:lab→lab@virtual":                   result.KindPassed,
		"main_psk:lab→strongswan-5.9@uml":            result.KindUnexpected,
		"main_psk:lab→strongswan-5.9@namespace":      result.KindUnsupported,
		"main_suites/des:lab→lab@virtual":            result.KindFailed,
		"main_suites/3des:lab→strongswan-5.9@uml":    result.KindUnsupported,
		"main_suites/aes-128:lab→strongswan-5.9@uml": result.KindBroken,
		"rekey_quick:lab→lab@virtual":                result.KindFailed,
		"rekey_quick:lab→strongswan-5.9@uml":         result.KindAccepted,
		"rekey_quick:lab→strongswan-5.9@namespace":   result.KindUnsupported,
	} {
		require.Equal(t, want, cell(t, m, text).Kind, text)
	}
	require.Equal(t, result.Broken, m.Outcome)
	require.Equal(t, map[result.Kind]int{
		result.KindPassed: 1, result.KindUnexpected: 1, result.KindUnsupported: 7, result.KindFailed: 3, result.KindBroken: 2, result.KindAccepted: 1,
	}, m.Totals)
	require.False(t, m.Interrupted)
	require.Equal(t, []string{"1/2"}, m.Shards)

	c := cell(t, m, "main_psk:lab→strongswan-5.9@uml")
	require.Equal(t, result.Passed, c.Outcome)
	require.Equal(t, "it was so", c.Expected.Reason)
	require.Equal(t, time.Second, c.Ready)
	require.EqualValues(t, 1<<20, c.Memory)
	require.Equal(t, "cells/"+c.ID, c.Dir)
	require.FileExists(t, filepath.Join(dir, c.Dir, "report.html"))
	require.FileExists(t, filepath.Join(dir, c.Dir, CellFile))
	require.Equal(t, result.MatrixInputs{Case: c.Inputs.Case, Program: "v1", Images: map[string]string{"strongswan-5.9": "hash of strongswan-5.9"}}, c.Inputs)
	require.Equal(t, "the world fell over", cell(t, m, "main_suites/aes-128:lab→strongswan-5.9@uml").Reason)
	left := cell(t, m, "main_psk:lab→strongswan-5.9@namespace")
	require.Equal(t, "not there", left.Reason)
	require.Empty(t, left.Dir)

	require.Equal(t, []result.MatrixSystem{
		{Name: "lab", Driver: "virtual"},
		{Name: "strongswan-5.9", Driver: "uml", Version: "strongswan-5.9 on Linux", Image: "hash of strongswan-5.9"},
		{Name: "strongswan-5.9", Driver: "namespace", Version: "strongswan-5.9 on Linux", Image: "hash of strongswan-5.9"},
	}, m.Systems)
	require.Equal(t, map[place]int{{StrongSwan59, UML}: 1}, f.probed, "each once, and only those with cells to run")
	require.Empty(t, parts(t, dir))
}

func parts(t *testing.T, dir string) []string {
	left, err := filepath.Glob(filepath.Join(dir, CellsDir, ".*"))
	require.NoError(t, err)
	return left
}

// What cannot be trusted to say unsupported is broken in all its cells, and nothing of it is run.
func TestProbe(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9, lab→libreswan]`))
	f := &fake{probe: func(ctx context.Context, s System, d Driver) error {
		switch {
		case s == Libreswan && d == UML:
			return errors.New("it passed")
		case s == Libreswan && d == Container:
			<-ctx.Done() // hangs, and ends when it is told to
			return ctx.Err()
		case s == Libreswan && d == Namespace:
			panic("no such file")
		}
		return nil
	}}
	m := start(t, t.Context(), t.TempDir(), f, Options{Cells: all, StartLimit: 50 * time.Millisecond, Parallel: 4})
	for _, c := range m.Cells {
		if c.Responder == string(StrongSwan59) {
			require.Equal(t, result.KindPassed, c.Kind)
			continue
		}
		require.Equal(t, result.KindBroken, c.Kind)
		want := map[string]string{"uml": "it passed", "container": "hung: the start was stopped after 50ms", "namespace": "panic: no such file"}[c.Driver]
		require.Contains(t, c.Reason, "an impossible case was not called unsupported by libreswan under "+c.Driver+": "+want)
		require.Empty(t, c.Dir)
	}
	for _, name := range f.ran {
		require.NotContains(t, name, "libreswan")
	}
	for _, s := range m.Systems {
		require.Equal(t, s.Name == "libreswan", s.Probe != "", s)
	}
}

// A cell that does not end, one that ends late, one that panics and one that says nothing useful are
// broken, and the others go on.
func TestHungCells(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f := &fake{do: func(ctx context.Context, c Cell, dir string) (Result, error) {
		switch c.Scenario() + "@" + string(c.Driver) {
		case "main_psk@uml":
			<-release // hears nothing
		case "main_psk@container":
			<-ctx.Done()
			return Result{Outcome: result.Failed, Reason: "responder never answered"}, nil
		case "main_psk@namespace":
			<-ctx.Done()
			return Result{Outcome: result.Passed}, nil // it came to its verdict, if late
		case "rekey_quick@uml":
			panic("index out of range")
		case "rekey_quick@container":
			return Result{}, nil
		case "rekey_quick@namespace":
			return Result{Outcome: result.Unsupported}, nil
		}
		return Result{Outcome: result.Passed}, nil
	}}
	dir := t.TempDir()
	m := start(t, t.Context(), dir, f, Options{Cells: all, Parallel: 2, Limit: 50 * time.Millisecond, Grace: 50 * time.Millisecond})
	for text, want := range map[string]string{
		"main_psk:lab→strongswan-5.9@uml":          "hung: it did not end within 50ms, nor 50ms after it was told to",
		"main_psk:lab→strongswan-5.9@container":    "hung: it was stopped after 50ms: responder never answered",
		"rekey_quick:lab→strongswan-5.9@uml":       "panic: index out of range",
		"rekey_quick:lab→strongswan-5.9@container": `the runner came to no outcome: ""`,
		"rekey_quick:lab→strongswan-5.9@namespace": "the runner called it unsupported and said no reason",
	} {
		c := cell(t, m, text)
		require.Equal(t, result.KindBroken, c.Kind, text)
		require.Equal(t, want, c.Reason, text)
		require.FileExists(t, filepath.Join(dir, c.Dir, "report.html"), "what there is of evidence is kept")
	}
	require.Equal(t, map[result.Kind]int{result.KindBroken: 5, result.KindPassed: 10}, m.Totals)
	stack, err := os.ReadFile(filepath.Join(dir, cell(t, m, "rekey_quick:lab→strongswan-5.9@uml").Dir, stackFile))
	require.NoError(t, err)
	require.Contains(t, string(stack), "run_test.go")
}

// Before its peers are ready a cell has another time than afterwards: what is slow there is not called hung, and what hangs is.
func TestStartHasItsOwnLimit(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f := &fake{
		boot: func(ctx context.Context, c Cell) error {
			switch c.Scenario() + "@" + string(c.Driver) {
			case "main_psk@uml": // is asked and answers in time, if late
				time.Sleep(300 * time.Millisecond)
			case "main_psk@container":
				<-ctx.Done()
				return fmt.Errorf("the machine of responder: %w", context.Cause(ctx))
			case "main_psk@namespace":
				<-release // hears nothing
			}
			return nil
		},
		do: func(ctx context.Context, c Cell, _ string) (Result, error) {
			if c.Scenario() == "rekey_quick" {
				<-ctx.Done()
				return Result{}, fmt.Errorf("waiting for responder: %w", context.Cause(ctx))
			}
			return Result{Outcome: result.Passed}, nil
		},
	}
	m := start(t, t.Context(), t.TempDir(), f, Options{Cells: all, Parallel: 2, Limit: 100 * time.Millisecond, StartLimit: time.Second, Grace: 100 * time.Millisecond})
	for text, want := range map[string]string{
		"main_psk:lab→strongswan-5.9@uml":       "",
		"main_psk:lab→strongswan-5.9@container": "hung: the start was stopped after 1s: the machine of responder: the time of the cell is over",
		"main_psk:lab→strongswan-5.9@namespace": "hung: the start did not end within 1s, nor 100ms after it was told to",
		"rekey_quick:lab→strongswan-5.9@uml":    "hung: it was stopped after 100ms: waiting for responder: the time of the cell is over",
	} {
		c := cell(t, m, text)
		require.Equal(t, want, c.Reason, text)
		require.Equal(t, want != "", c.Kind == result.KindBroken, text)
	}
	require.Equal(t, map[result.Kind]int{result.KindBroken: 5, result.KindPassed: 10}, m.Totals, "the others go on")
	require.Less(t, m.Wall, 10*time.Second)
}

func TestLimits(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9, strongswan-5.9→lab]`))
	f := &fake{do: func(context.Context, Cell, string) (Result, error) {
		for range 20 { // let others begin
			runtime.Gosched()
			time.Sleep(100 * time.Microsecond)
		}
		return Result{Outcome: result.Passed}, nil
	}}
	m := start(t, t.Context(), t.TempDir(), f, Options{Cells: all, Parallel: 5, Limits: map[Driver]int{UML: 1, Container: 2}})
	require.Equal(t, map[result.Kind]int{result.KindPassed: 30}, m.Totals)
	require.Equal(t, 1, f.most[UML])
	require.LessOrEqual(t, f.most[Container], 2)
	require.LessOrEqual(t, f.most[""], 5)
	require.Greater(t, f.most[""], 1)
	require.Len(t, f.ran, 30)
}

// An interruption keeps what has ended, and --resume does the rest, what was broken, and what has other inputs.
func TestInterruptAndResume(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int32
	f := &fake{do: func(ctx context.Context, c Cell, dir string) (Result, error) {
		switch n.Add(1) {
		case 3:
			return Result{}, errors.New("broken once")
		case 5:
			cancel()
			<-ctx.Done()
			return Result{Outcome: result.Failed, Reason: "cut short"}, nil
		}
		return Result{Outcome: result.Passed}, nil
	}}
	m := start(t, ctx, dir, f, Options{Cells: all, Parallel: 1})
	require.True(t, m.Interrupted)
	require.Equal(t, result.Broken, m.Outcome)
	require.Equal(t, map[result.Kind]int{result.KindPassed: 3, result.KindBroken: 1, result.KindNotRun: 11}, m.Totals)
	require.Empty(t, parts(t, dir))
	first := slices.Clone(f.ran)
	require.Len(t, first, 5)

	// one of the cells that passed is of a file that has changed since
	fsys := cases(`pairs: [lab→strongswan-5.9]`)
	fsys["main_psk.yaml"].Data = append(fsys["main_psk.yaml"].Data, "# another\n"...)
	require.Contains(t, first[0], "main_psk@")
	again := &fake{}
	kept := 0
	m = start(t, t.Context(), dir, again, Options{Cells: load(t, fsys), Resume: true, Ended: func(_ result.MatrixCell, k bool) {
		if k {
			kept++
		}
	}})
	require.False(t, m.Interrupted)
	require.Equal(t, map[result.Kind]int{result.KindPassed: 15}, m.Totals)
	require.Equal(t, 1, kept, "the fourth: three are of the changed file, and one of those was broken")
	require.Len(t, again.ran, 14)
	require.NotContains(t, again.ran, first[3])

	third := &fake{}
	m = start(t, t.Context(), dir, third, Options{Cells: load(t, fsys), Resume: true})
	require.Empty(t, third.ran)
	require.Empty(t, third.probed)
	require.Equal(t, map[result.Kind]int{result.KindPassed: 15}, m.Totals)
}

// A run that is not over says so, should the program not live to say otherwise.
func TestMatrixWhileItRuns(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	dir := t.TempDir()
	seen := 0
	f := &fake{do: func(context.Context, Cell, string) (Result, error) {
		m, err := ReadFolder(dir)
		require.NoError(t, err)
		require.True(t, m.Interrupted)
		require.Equal(t, result.Broken, m.Outcome)
		require.Positive(t, m.Totals[result.KindNotRun])
		seen++
		return Result{Outcome: result.Passed}, nil
	}}
	start(t, t.Context(), dir, f, Options{Cells: all, Parallel: 1})
	require.Equal(t, 15, seen)
}

func TestMissingImages(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9, lab→libreswan]`))
	folder, err := OpenFolder(t.TempDir(), Fresh)
	require.NoError(t, err)
	f := &fake{}
	m, err := Run(t.Context(), folder, Options{Cells: all, Runner: f, Drivers: []Driver{UML}, Have: []Availability{
		{Driver: UML, Systems: map[System]Environment{StrongSwan59: {Missing: "its image is not built: make images"}}},
	}})
	require.NoError(t, err)
	require.Equal(t, map[result.Kind]int{result.KindBroken: 10}, m.Totals)
	require.Equal(t, "strongswan-5.9: its image is not built: make images", cell(t, m, "main_psk:lab→strongswan-5.9@uml").Reason)
	require.Equal(t, "driver uml has no system libreswan here", cell(t, m, "main_psk:lab→libreswan@uml").Reason)
	require.Empty(t, f.ran)
}

func TestChoose(t *testing.T) {
	with := func(missing ...Driver) (all []Availability) {
		for _, d := range Drivers() {
			a := Availability{Driver: d}
			if slices.Contains(missing, d) {
				a.Reason = "no " + string(d)
			}
			all = append(all, a)
		}
		return all
	}
	for _, tc := range []struct {
		name  string
		have  []Availability
		asked []Driver
		use   []Driver
		notes string
		err   string
	}{
		{"everything", with(), nil, []Driver{Virtual, UML, Container}, "namespace: left out, since container does the same; --driver namespace has it run", ""},
		{"no Docker", with(Container), nil, []Driver{Virtual, UML, Namespace}, "container: no container", ""},
		{"only Docker", with(UML, Namespace), nil, []Driver{Virtual, Container}, "uml: no uml|namespace: no namespace", ""},
		{"nothing", with(UML, Container, Namespace), nil, nil, "", "no driver for real peers can be used here: uml: no uml; container: no container; namespace: no namespace"},
		{"asked for", with(UML), []Driver{Namespace}, []Driver{Namespace}, "", ""},
		{"asked for in vain", with(UML), []Driver{UML, Container}, nil, "", "no driver for real peers can be used here: uml: no uml"},
		{"virtual alone", with(UML, Container, Namespace), []Driver{Virtual}, []Driver{Virtual}, "", ""},
		{"not of this build", nil, []Driver{UML}, nil, "", "uml: this build has no such driver"},
	} {
		use, notes, err := Choose(tc.have, tc.asked)
		if tc.err != "" {
			require.ErrorContains(t, err, tc.err, tc.name)
			var none *NoDriver
			require.ErrorAs(t, err, &none)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.use, use, tc.name)
		require.Equal(t, tc.notes, strings.Join(notes, "|"), tc.name)
	}
}

func TestOpenFolder(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	dir := t.TempDir()
	start(t, t.Context(), dir, &fake{}, Options{Cells: all, Drivers: []Driver{UML}})
	mine := filepath.Join(dir, CellsDir, "mine", "notes.txt")
	require.NoError(t, os.MkdirAll(filepath.Dir(mine), 0o755))
	require.NoError(t, os.WriteFile(mine, nil, 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, CellsDir, ".x.part"), 0o755))

	_, err := OpenFolder(dir, Fresh)
	require.ErrorContains(t, err, "has the results of an earlier run: --resume keeps them, --force replaces them")
	_, err = OpenFolder(dir, Resume)
	require.NoError(t, err)
	require.Empty(t, parts(t, dir))
	require.FileExists(t, filepath.Join(dir, File))
	_, err = OpenFolder(dir, Replace)
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Dir(mine)}, left, "what is the user's stays")
	require.NoFileExists(t, filepath.Join(dir, File))

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "letter.txt"), nil, 0o644))
	for _, mode := range []Mode{Fresh, Replace, Resume} {
		_, err := OpenFolder(other, mode)
		require.ErrorContains(t, err, "holds no run of the matrix")
	}
	require.NoError(t, os.WriteFile(filepath.Join(other, File), []byte(`{"$schema": "https://example.org"}`), 0o644))
	_, err = OpenFolder(other, Replace)
	require.ErrorContains(t, err, "this is no matrix of ipseclab")
}
