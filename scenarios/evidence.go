package scenarios

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/wireshark"
)

// evidence is the folder that a run leaves behind: trace.jsonl, capture.pcapng,
// wireshark/ and result.json, and the report if somebody makes one.
type evidence struct {
	options Options
	files   []*evidenceFile
}

type evidenceFile struct {
	file *os.File
	*bufio.Writer
}

// Names of the files of evidence.
const (
	traceFile   = "trace.jsonl"
	captureFile = "capture.pcapng"
	resultFile  = "result.json"
	notesFile   = "observers.json"
	profileDir  = "wireshark"
	reportFile  = "report.html"
)

func newEvidence(o Options) (*evidence, error) {
	ev := &evidence{options: o}
	if o.Dir == "" {
		return ev, nil
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("scenarios: evidence folder: %w", err)
	}
	// What an earlier run left would be taken for the result of this one, if this one breaks.
	for _, name := range []string{resultFile, reportFile, notesFile} {
		if err := os.Remove(filepath.Join(o.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("scenarios: evidence of an earlier run: %w", err)
		}
	}
	for _, name := range []string{traceFile, captureFile} {
		f, err := os.Create(filepath.Join(o.Dir, name))
		if err != nil {
			ev.abandon()
			return nil, fmt.Errorf("scenarios: evidence: %w", err)
		}
		ev.files = append(ev.files, &evidenceFile{f, bufio.NewWriterSize(f, 32<<10)})
	}
	return ev, nil
}

func (ev *evidence) trace() io.Writer   { return ev.writer(0) }
func (ev *evidence) capture() io.Writer { return ev.writer(1) }

func (ev *evidence) writer(i int) io.Writer {
	if ev.files == nil {
		return nil
	}
	return ev.files[i]
}

// abandon closes files that finish has not closed. What was recorded until the
// lab broke is kept as far as it can be; that it broke is reported already.
func (ev *evidence) abandon() {
	for _, f := range ev.files {
		f.Flush()
		f.file.Close()
	}
	ev.files = nil
}

// finish completes the folder. The world is closed: nothing more is recorded.
func (ev *evidence) finish(l *lab, r *Result) error {
	err := l.log.Err()
	for _, f := range ev.files {
		err = errors.Join(err, f.Flush(), f.file.Close())
	}
	ev.files = nil
	dir := ev.options.Dir
	if err != nil || dir == "" {
		return err
	}
	if err := wireshark.WriteProfile(filepath.Join(dir, profileDir), l.log.Events()); err != nil {
		return err
	}
	r.Artefacts = []result.Artefact{
		{Name: "capture", Path: captureFile}, {Name: "trace", Path: traceFile}, {Name: "wireshark profile", Path: profileDir},
	}
	if len(l.watches) > 0 {
		r.Artefacts = append(r.Artefacts, result.Artefact{Name: "observers", Path: notesFile})
		if err := writeJSON(filepath.Join(dir, notesFile), l.observersAt("")); err != nil {
			return err
		}
	}
	if l.real() {
		r.Artefacts = append(r.Artefacts, result.Artefact{Name: "real peers", Path: peersDir})
	}
	if ev.options.Reporter != nil {
		r.Artefacts = append(r.Artefacts, result.Artefact{Name: "report", Path: reportFile})
	}
	if err := writeJSON(filepath.Join(dir, resultFile), r); err != nil {
		return err
	}
	if ev.options.Reporter != nil {
		return ev.options.Reporter.Report(dir)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func macString(mac [6]byte) string { return net.HardwareAddr(mac[:]).String() }
