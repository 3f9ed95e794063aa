package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/reports"
)

// Names in a results folder. A scenario's evidence is written to .<name>.part
// and becomes <name> when it is complete; in that of a cell, <file>/<cell>, a
// comma stands for the slash until then.
const (
	resultsFile = "results.json"
	junitFile   = "junit.xml"
	indexFile   = "index.html"
	resultFile  = "result.json"
	gridJSON    = "grid.json"
	gridPage    = "grid.html"
	stackFile   = "stack.txt"
)

// results is a results folder.
type results struct{ dir string }

// openResults makes the folder ready for the evidence of the named scenarios.
// What was in it stays, unless an earlier run wrote it and force is given.
func openResults(dir string, force bool, names []string) (*results, error) {
	r := &results{dir}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, wrong("the results folder cannot be made: %w", err)
		}
		return r, nil
	case err != nil:
		return nil, wrong("the results folder cannot be used: %w", err)
	case len(entries) == 0:
		return r, nil
	}
	earlier, err := r.earlier()
	switch {
	case err != nil:
		return nil, wrong("%s is not empty and holds no results of ipseclab: name another folder with --out (%w)", relative(dir), err)
	case !force:
		return nil, wrong("%s has the results of an earlier run: --force replaces them, --out names another folder", relative(dir))
	}
	if err := r.clear(earlier); err != nil {
		return nil, wrong("the earlier results cannot be removed: %w", err)
	}
	for _, name := range names {
		file, _, _ := strings.Cut(name, "/")
		info, err := os.Lstat(r.path(file))
		if err == nil && info.IsDir() && file != name { // cells may lie beside what is in it
			_, err = os.Lstat(r.path(name))
			file = name
		}
		if err == nil {
			return nil, wrong("%s was not written by an earlier run, and scenario %s needs its place", relative(r.path(file)), name)
		}
	}
	return r, nil
}

func (r *results) path(elem ...string) string {
	return filepath.Join(append([]string{r.dir}, elem...)...)
}

func (r *results) index() string { return r.path(indexFile) }

// earlier is the run that the folder holds.
func (r *results) earlier() (*result.Run, error) {
	b, err := os.ReadFile(r.path(resultsFile))
	if err != nil {
		return nil, errors.New("there is no results.json")
	}
	var run result.Run
	if err := json.Unmarshal(b, &run); err != nil || run.Schema != result.RunSchema {
		return nil, errors.New("its results.json is not of ipseclab")
	}
	return &run, nil
}

// clear removes what the earlier run wrote, as its results.json and the
// result.json of its scenarios list it, and nothing else.
func (r *results) clear(earlier *result.Run) error {
	parts, err := filepath.Glob(r.path(".*.part"))
	if err != nil {
		return err
	}
	for _, part := range parts { // of a run that was killed
		err = errors.Join(err, os.RemoveAll(part))
	}
	for _, e := range earlier.Scenarios {
		err = errors.Join(err, r.clearScenario(e.Dir))
	}
	for _, g := range earlier.Grids {
		err = errors.Join(err, r.clearGrid(g.Dir))
	}
	for _, name := range []string{junitFile, indexFile, resultsFile} { // results.json last: until then the folder is known as ours
		if e := os.Remove(r.path(name)); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}

func (r *results) clearScenario(name string) error {
	dir := r.path(name)
	if info, err := os.Lstat(dir); name == "" || name == "." || !filepath.IsLocal(name) || err != nil || !info.IsDir() {
		return nil // not ours, or gone
	}
	b, err := os.ReadFile(filepath.Join(dir, resultFile))
	if err != nil {
		return nil
	}
	var s struct {
		Artefacts []result.Artefact `json:"artefacts"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil
	}
	for _, a := range s.Artefacts {
		if filepath.IsLocal(a.Path) && a.Path != "." {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, a.Path)))
		}
	}
	err = errors.Join(err, os.Remove(filepath.Join(dir, resultFile)))
	if err == nil {
		err = removeEmpty(dir)
	}
	if parent := filepath.Dir(dir); err == nil && parent != r.path() { // of cells
		err = removeEmpty(parent)
	}
	return err
}

// grid writes the tables of a grid beside the folders of its cells.
func (r *results) grid(g *result.Grid) error {
	if err := os.Mkdir(r.path(g.Name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("folder of a grid: %w", err)
	}
	if err := writeJSON(r.path(g.Name, gridJSON), g); err != nil {
		return err
	}
	return reports.Grid(r.path(g.Name), g)
}

func (r *results) clearGrid(name string) (err error) {
	dir := r.path(name)
	if info, err := os.Lstat(dir); name == "" || name == "." || !filepath.IsLocal(name) || err != nil || !info.IsDir() {
		return nil // not ours, or gone
	}
	for _, file := range []string{gridJSON, gridPage} {
		if e := os.Remove(filepath.Join(dir, file)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, removeEmpty(dir))
}

// removeEmpty removes a folder unless a user put something there.
func removeEmpty(dir string) error {
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		return nil
	}
	return os.Remove(dir)
}

func (r *results) part(name string) string {
	return r.path("." + strings.ReplaceAll(name, "/", ",") + ".part")
}

// begin makes the folder in which a scenario's evidence grows.
func (r *results) begin(name string) (string, error) {
	if err := os.Mkdir(r.part(name), 0o755); err != nil {
		return "", fmt.Errorf("evidence folder: %w", err)
	}
	return r.part(name), nil
}

// finish gives a complete evidence folder its name.
func (r *results) finish(name string) error {
	if file, _, cell := strings.Cut(name, "/"); cell {
		if err := os.Mkdir(r.path(file), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("evidence folder: %w", err)
		}
	}
	return os.Rename(r.part(name), r.path(name))
}

// abandon removes the evidence of a scenario that did not come to its end.
func (r *results) abandon(name string) error { return os.RemoveAll(r.part(name)) }

// broke completes the evidence of a scenario that broke the lab: its result,
// the report, and where it stood when it panicked.
func (r *results) broke(s *result.Scenario, stack []byte) error {
	dir := r.part(s.Name)
	if stack != nil {
		if err := os.WriteFile(filepath.Join(dir, stackFile), stack, 0o644); err != nil {
			return err
		}
	}
	for _, a := range []result.Artefact{
		{Name: "capture", Path: "capture.pcapng"}, {Name: "trace", Path: "trace.jsonl"}, {Name: "wireshark profile", Path: "wireshark"},
		{Name: "stack", Path: stackFile},
	} {
		if _, err := os.Stat(filepath.Join(dir, a.Path)); err == nil {
			s.Artefacts = append(s.Artefacts, a)
		}
	}
	s.Artefacts = append(s.Artefacts, result.Artefact{Name: "report", Path: "report.html"})
	if err := writeJSON(filepath.Join(dir, resultFile), s); err != nil {
		return err
	}
	return reports.Scenario(dir)
}

// writeJSON writes a file that is complete or not there.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, append(b, '\n'))
}

// replace puts a file in the place of another in one step.
func replace(path string, b []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, b, 0o644); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}
