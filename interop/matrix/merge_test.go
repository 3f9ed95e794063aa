package matrix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// timeless is the matrix without what differs from run to run.
func timeless(m *result.Matrix) *result.Matrix {
	m.Started, m.Wall = time.Time{}, 0
	for i := range m.Cells {
		m.Cells[i].Wall = 0
	}
	return m
}

// mixed is a runner whose outcomes depend on the cell alone.
func mixed() *fake {
	return &fake{do: func(_ context.Context, c Cell, dir string) (Result, error) {
		if err := os.MkdirAll(filepath.Join(dir, "peers", "responder"), 0o755); err != nil {
			return Result{}, err
		}
		if err := os.WriteFile(filepath.Join(dir, "peers", "responder", "charon.log"), []byte(c.String()), 0o644); err != nil {
			return Result{}, err
		}
		switch len(c.Name()) % 4 {
		case 0:
			return Result{Outcome: result.Failed, Reason: "known"}, nil
		case 1:
			return Result{Outcome: result.Unsupported, Reason: "not there"}, nil
		case 2:
			return Result{}, errors.New("it broke")
		}
		r := Result{Outcome: result.Passed, Ready: time.Second, Memory: 7}
		if c.Responder == Libreswan && c.Case == "main_psk" { // which is in one shard alone
			r.Says = map[System]string{Libreswan: "pluto 4.10 on " + string(c.Driver)}
		}
		return r, nil
	}}
}

// files are the files below a folder, but those of a run itself.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, CellsDir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		all = append(all, rel)
		return err
	}))
	return all
}

// mergeInto merges runs into a new folder.
func mergeInto(t *testing.T, out string, dirs []string, whole []Cell, expect *Expectations) *result.Matrix {
	t.Helper()
	m, err := Merge(dirs, whole, expect)
	require.NoError(t, err)
	folder, err := OpenFolder(out, Fresh)
	require.NoError(t, err)
	require.NoError(t, m.Write(folder))
	return m.Matrix
}

// n shards merged are one run, but for how long things took.
func TestMergedShardsAreOneRun(t *testing.T) {
	all := load(t, cases(`without: [{cases: [rekey_quick], systems: [libreswan], reason: it counts nothing}]`))
	expect := expectations(t, all, `{"cells": "main_*", "outcome": "failed", "reason": "known", "note": "#7"}`)
	drivers := []Driver{Virtual, UML, Container}
	whole := t.TempDir()
	want := start(t, t.Context(), whole, mixed(), Options{Cells: all, Drivers: drivers, Expect: expect})
	require.Greater(t, len(want.Totals), 4)
	require.True(t, slices.ContainsFunc(want.Systems, func(s result.MatrixSystem) bool { return s.Says == "pluto 4.10 on container" }), "%v", want.Systems)
	for _, n := range []int{1, 2, 7} {
		var dirs []string
		for i := range n {
			dir := t.TempDir()
			dirs = append([]string{dir}, dirs...)
			s := Shard{i + 1, n}
			start(t, t.Context(), dir, mixed(), Options{Cells: s.Select(all), Drivers: drivers, Expect: expect, Shards: []string{s.String()}})
		}
		out := t.TempDir()
		got := mergeInto(t, out, dirs, all, expect)
		saved, err := ReadFolder(out)
		require.NoError(t, err)
		require.Equal(t, got, saved)
		require.Equal(t, timeless(want), timeless(got), "%d shards", n)
		require.Equal(t, files(t, whole), files(t, out), "%d shards", n)
		require.Empty(t, parts(t, out))
	}
}

func TestMergeOfParts(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	merge := func(dirs ...string) *result.Matrix {
		return mergeInto(t, t.TempDir(), dirs, all, nil)
	}

	// A shard that is missing leaves the matrix unfinished.
	one, three := t.TempDir(), t.TempDir()
	for i, dir := range map[int]string{1: one, 3: three} {
		s := Shard{i, 3}
		start(t, t.Context(), dir, &fake{}, Options{Cells: s.Select(all), Shards: []string{s.String()}})
	}
	m := merge(three, one)
	require.Equal(t, []string{"1/3", "3/3"}, m.Shards)
	require.True(t, m.Interrupted)
	require.Equal(t, result.Broken, m.Outcome)
	require.Len(t, m.Cells, 10)

	// Two drivers, each in a run of its own, are a whole.
	uml, container := t.TempDir(), t.TempDir()
	start(t, t.Context(), uml, &fake{}, Options{Cells: all, Drivers: []Driver{UML}})
	start(t, t.Context(), container, &fake{}, Options{Cells: all, Drivers: []Driver{Container}})
	m = merge(uml, container)
	require.False(t, m.Interrupted)
	require.Equal(t, map[result.Kind]int{result.KindPassed: 10}, m.Totals)
	require.Equal(t, "main_psk@lab-to-strongswan-5.9@container", m.Cells[1].ID)

	// What one run did not come to, the other one did.
	ctx, cancel := context.WithCancel(t.Context())
	cut := t.TempDir()
	m = start(t, ctx, cut, &fake{do: func(context.Context, Cell, string) (Result, error) {
		cancel()
		return Result{Outcome: result.Passed}, nil
	}}, Options{Cells: all, Drivers: []Driver{UML}, Parallel: 1})
	require.True(t, m.Interrupted)
	for _, dirs := range [][]string{{cut, uml}, {uml, cut}} {
		m = merge(dirs...)
		require.False(t, m.Interrupted)
		require.Equal(t, map[result.Kind]int{result.KindPassed: 5}, m.Totals)
	}
}

// Two outcomes of one cell are a conflict, and make it broken.
func TestMergeConflict(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	good, bad := t.TempDir(), t.TempDir()
	start(t, t.Context(), good, &fake{}, Options{Cells: all, Drivers: []Driver{UML}})
	start(t, t.Context(), bad, &fake{do: func(_ context.Context, c Cell, _ string) (Result, error) {
		if c.Case == "main_psk" {
			return Result{Outcome: result.Failed, Reason: "no data"}, nil
		}
		return Result{Outcome: result.Passed}, nil
	}}, Options{Cells: all, Drivers: []Driver{UML}})
	for _, dirs := range [][]string{{good, bad}, {bad, good}} {
		m := mergeInto(t, t.TempDir(), dirs, all, expectations(t, all, `{"cells": "main_psk*", "outcome": "failed", "reason": "x", "note": "#7"}`))
		c := cell(t, m, "main_psk:lab→strongswan-5.9@uml")
		require.Equal(t, result.KindBroken, c.Kind)
		require.Equal(t, result.Broken, c.Outcome)
		require.Contains(t, c.Reason, "two runs differ: ")
		require.Contains(t, c.Reason, fmt.Sprintf("failed in %s", bad))
		require.Contains(t, c.Reason, "; no data")
		require.Nil(t, c.Expected)
		require.Equal(t, 1, m.Totals[result.KindBroken])
	}
}

func TestMergeMistakes(t *testing.T) {
	all := load(t, cases(`pairs: [lab→strongswan-5.9]`))
	_, err := Merge(nil, all, nil)
	require.ErrorContains(t, err, "nothing to merge")
	_, err = Merge([]string{t.TempDir()}, all, nil)
	require.ErrorContains(t, err, "matrix.json cannot be read: no such file")

	a, b := t.TempDir(), t.TempDir()
	start(t, t.Context(), a, &fake{}, Options{Cells: all[:1]})
	m := start(t, t.Context(), b, &fake{}, Options{Cells: all[:1]})
	m.Version = "v2"
	require.NoError(t, (&Folder{b}).Save(m))
	_, err = Merge([]string{a, b}, all, nil)
	require.ErrorContains(t, err, "results of different programs make no matrix")

	m.Version = "v1"
	m.Cells[0].Dir = "../../etc"
	require.NoError(t, (&Folder{b}).Save(m))
	_, err = Merge([]string{a, b}, all, nil)
	require.ErrorContains(t, err, "is none of a run")
}
