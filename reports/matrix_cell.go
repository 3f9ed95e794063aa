package reports

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ipseclab/ipseclab/internal/result"
)

// peersDir has a folder for each real peer, with what it says of itself.
const peersDir = "peers"

// Bounds of what a cell's page shows of a peer's files.
const (
	shownBytes = 64 << 10 // of one file, its end
	shownFiles = 64
)

// matrixCellPage is what the page of a cell shows.
type matrixCellPage struct {
	*matrixCell
	Matrix   *result.Matrix
	Systems  []result.MatrixSystem // that take its roles
	Scenario *result.Scenario      // nil: it left none
	Notice   string                // why the scenario cannot be shown
	Report   string                // its report; empty: there is none
	Files    []matrixFile          // of the scenario
	Peers    []matrixPeer
	NoteLink string
}

// matrixPeer is a real peer and its files.
type matrixPeer struct {
	Name  string
	Files []matrixFile
	More  int // that are not listed
}

// matrixFile is a file of evidence; its text is shown where it has one.
type matrixFile struct {
	Name string // relative to the cell's folder, with slashes
	Size string
	Text string // empty: none is shown
	Cut  int    // bytes of it that are not shown
}

func newMatrixCellPage(dir string, m *result.Matrix, c result.MatrixCell, change *Change) *matrixCellPage {
	column := &matrixColumn{Initiator: c.Initiator, Responder: c.Responder, Driver: c.Driver}
	p := &matrixCellPage{matrixCell: &matrixCell{MatrixCell: c, matrixKind: matrixKinds[c.Kind], Column: column, Change: change}, Matrix: m}
	for _, s := range m.Systems {
		if s.Driver == c.Driver && (s.Name == c.Initiator || s.Name == c.Responder) {
			p.Systems = append(p.Systems, s)
		}
	}
	if c.Expected != nil {
		p.NoteLink = noteLink(c.Expected.Note)
	}
	s, bad := read(dir, resultFile, result.Read)
	if bad == nil {
		p.Scenario = s
	} else if _, err := os.Stat(filepath.Join(dir, resultFile)); err == nil {
		p.Notice = bad.notice()
	}
	for _, name := range []string{captureFile, traceFile, resultFile, notesFile, "stack.txt", "panic.txt", "cell.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			p.Files = append(p.Files, matrixFile{Name: name, Size: size(info.Size())})
		}
	}
	if _, err := os.Stat(filepath.Join(dir, reportFile)); err == nil {
		p.Report = reportFile
	}
	p.Peers = peersOf(dir)
	return p
}

// peersOf are the peers that have left files.
func peersOf(dir string) (all []matrixPeer) {
	entries, err := os.ReadDir(filepath.Join(dir, peersDir)) // sorted
	if err != nil {
		return nil // there was none
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		peer := matrixPeer{Name: e.Name()}
		root := filepath.Join(dir, peersDir, e.Name())
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if len(peer.Files) == shownFiles {
				peer.More++
				return nil
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			f, err := shown(path)
			f.Name = filepath.ToSlash(rel)
			peer.Files = append(peer.Files, f)
			return err
		})
		if err != nil && len(peer.Files) == 0 {
			continue
		}
		slices.SortStableFunc(peer.Files, func(a, b matrixFile) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, peer)
	}
	return all
}

// shown is a file with the end of its text.
func shown(path string) (f matrixFile, err error) {
	file, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer file.Close() // only read from
	info, err := file.Stat()
	if err != nil {
		return f, err
	}
	f.Size = size(info.Size())
	from := max(0, info.Size()-shownBytes)
	b, err := io.ReadAll(io.NewSectionReader(file, from, shownBytes))
	if err != nil {
		return f, err
	}
	if from > 0 { // from the next line on
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b, from = b[i+1:], from+int64(i)+1
		}
	}
	if bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b) {
		return f, nil // no text
	}
	f.Text, f.Cut = string(b), int(from)
	return f, nil
}
