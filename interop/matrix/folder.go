package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Names in the folder of a run. The evidence of a cell grows in cells/.NAME.part and becomes
// cells/NAME, with its cell.json, when the cell has ended.
const (
	File      = "matrix.json"
	IndexFile = "index.html"
	CellsDir  = "cells"
	CellFile  = "cell.json"
)

// Folder holds a run of the matrix.
type Folder struct{ dir string }

// Mode says what becomes of what an earlier run left in a folder.
type Mode int

// The modes.
const (
	Fresh   Mode = iota // there must be nothing
	Replace             // it is removed, and nothing else is
	Resume              // its results are kept; there may be nothing
)

// OpenFolder makes a folder ready for a run.
func OpenFolder(dir string, mode Mode) (*Folder, error) {
	f := &Folder{dir}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the results folder cannot be used: %w", err)
	case len(entries) == 0:
	default:
		if _, err := f.Read(); err != nil {
			return nil, fmt.Errorf("%s is not empty and holds no run of the matrix: name another folder with --out (%w)", dir, err)
		}
		switch mode {
		case Fresh:
			return nil, fmt.Errorf("%s has the results of an earlier run: --resume keeps them, --force replaces them, --out names another folder", dir)
		case Replace:
			err = f.clear()
		case Resume:
			err = f.clearParts()
		}
		if err != nil {
			return nil, fmt.Errorf("the earlier results cannot be removed: %w", err)
		}
	}
	if err := os.MkdirAll(f.path(CellsDir), 0o755); err != nil {
		return nil, fmt.Errorf("the results folder cannot be made: %w", err)
	}
	return f, nil
}

// ReadFolder is a folder that holds a run.
func ReadFolder(dir string) (*result.Matrix, error) { return (&Folder{dir}).Read() }

func (f *Folder) path(elem ...string) string {
	return filepath.Join(append([]string{f.dir}, elem...)...)
}

// Read is the run that the folder holds.
func (f *Folder) Read() (*result.Matrix, error) {
	file, err := os.Open(f.path(File))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", File, bare(err))
	}
	defer file.Close() // only read from
	return result.ReadMatrix(file)
}

// Save writes matrix.json.
func (f *Folder) Save(m *result.Matrix) error { return writeJSON(f.path(File), m) }

func (f *Folder) clearParts() error {
	parts, err := filepath.Glob(f.path(CellsDir, ".*.part"))
	for _, part := range parts { // of a run that was killed
		err = errors.Join(err, os.RemoveAll(part))
	}
	return err
}

// clear removes what a run has written.
func (f *Folder) clear() error {
	err := f.clearParts()
	cells, e := filepath.Glob(f.path(CellsDir, "*", CellFile))
	err = errors.Join(err, e)
	for _, file := range cells {
		if _, e := ParseName(filepath.Base(filepath.Dir(file))); e == nil {
			err = errors.Join(err, os.RemoveAll(filepath.Dir(file)))
		}
	}
	for _, name := range []string{IndexFile, File} { // matrix.json last: until then the folder is known as ours
		if e := os.Remove(f.path(name)); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}

// begin makes the folder in which the evidence of a cell grows.
func (f *Folder) begin(name string) (string, error) {
	part := f.path(CellsDir, "."+name+".part")
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", fmt.Errorf("evidence folder: %w", err)
	}
	return part, nil
}

// finish completes the evidence of a cell and gives its folder the name.
func (f *Folder) finish(c *result.MatrixCell) error {
	part, dir := f.path(CellsDir, "."+c.ID+".part"), f.path(CellsDir, c.ID)
	c.Dir = CellsDir + "/" + c.ID
	if err := writeJSON(filepath.Join(part, CellFile), c); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil { // of an earlier run that is resumed
		return err
	}
	return os.Rename(part, dir)
}

// abandon removes the evidence of a cell that did not come to its end.
func (f *Folder) abandon(name string) error {
	return os.RemoveAll(f.path(CellsDir, "."+name+".part"))
}

// earlier is the result of a cell that the folder holds.
func (f *Folder) earlier(name string) (c result.MatrixCell, ok bool) {
	file, err := os.Open(f.path(CellsDir, name, CellFile))
	if err != nil {
		return c, false
	}
	defer file.Close() // only read from
	err = json.NewDecoder(io.LimitReader(file, 1<<20)).Decode(&c)
	return c, err == nil && c.ID == name && c.Outcome.Known()
}

// bare is the error of a file without its path.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// writeJSON writes a file that is complete or not there.
func writeJSON(path string, v any) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, []byte(b.String()), 0o644); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}
