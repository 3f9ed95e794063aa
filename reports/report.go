// Package reports makes what people read of a run: an HTML page per scenario
// and one for the run, JUnit XML for build servers, and message ladders as text.
//
// It works on evidence folders alone (result.json, trace.jsonl,
// capture.pcapng) and never on a running lab, so that a report can be made again
// at any time and anywhere, with the same bytes for the same folder. A page is
// one file without external resources; it can be read without JavaScript, which
// only filters and folds. All texts of a scenario are escaped. Whatever a page
// leaves out to stay readable, it counts in the place where it would stand.
package reports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Scenario reads the evidence folder dir, which holds result.json, trace.jsonl
// and capture.pcapng, and writes dir/report.html. Without a readable result
// there is no report. Without a readable trace or capture there is one that says
// so, and an error; only the folder of a scenario whose lab broke may lack them.
func Scenario(dir string) error {
	ev, bad := load(dir)
	if ev == nil {
		return bad
	}
	if ev.Outcome == result.Broken {
		bad = nil
	}
	return errors.Join(bad, write(filepath.Join(dir, reportFile), "report.html", newPage(ev)))
}

// Index writes dir/index.html, the page of a whole run, which links to the
// reports in the scenarios' folders.
func Index(dir string, run *result.Run) error {
	return write(filepath.Join(dir, indexFile), "index.html", newIndex(run))
}

// write renders a template to a file, which is complete or not there.
func write(path, template string, data any) error {
	html, err := render(template, data)
	if err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, html, 0o666); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return errors.Join(fmt.Errorf("reports: %w", err), os.Remove(part))
	}
	return nil
}
