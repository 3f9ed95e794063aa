package main

import (
	"io"
	"net/url"
	"path/filepath"
	"runtime/debug"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/ipseclab/ipseclab/hosts/policy/lint"
)

// home is where the rules are explained.
const home = "https://github.com/ipseclab/ipseclab"

// sarifLevels are the words of SARIF 2.1.0 for severities, 3.27.10.
var sarifLevels = map[lint.Severity]string{lint.Info: "note", lint.Warning: "warning", lint.Error: "error"}

// printSARIF writes findings, with all rules, as a SARIF 2.1.0 log.
func printSARIF(w io.Writer, found []lint.Finding) error {
	log, err := sarif.New(sarif.Version210)
	if err != nil {
		return err
	}
	run := sarif.NewRunWithInformationURI("ipseclab", home)
	run.Tool.Driver.WithVersion(version(debug.ReadBuildInfo()))
	run.ColumnKind = "unicodeCodePoints" // as columns are counted here
	index := map[string]int{}
	for i, r := range lint.Rules() {
		index[r.ID] = i
		sources := sarif.Properties{"sources": r.Sources()}
		if len(r.Claims) > 0 {
			sources["tags"] = r.Claims
		}
		run.AddRule(r.ID).
			WithDescription(r.Title).
			WithFullDescription(sarif.NewMultiformatMessageString(r.Why)).
			WithTextHelp(r.Fix).
			WithHelpURI(home + "/blob/main/docs/lint.md#" + r.ID).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevels[r.Severity])).
			WithProperties(sources)
	}
	for _, f := range found {
		run.AddResult(sarif.NewRuleResult(f.Rule.ID).
			WithRuleIndex(index[f.Rule.ID]).
			WithLevel(sarifLevels[f.Severity()]).
			WithMessage(sarif.NewTextMessage(f.Message + ". " + f.Rule.Fix)).
			WithLocations(locations(f.Position)))
	}
	log.AddRun(run)
	return log.PrettyWrite(w)
}

// locations is where a finding is; none where nobody knows.
func locations(p lint.Position) []*sarif.Location {
	if p.File == "" {
		return nil
	}
	place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(fileURI(p.File)))
	if p.Line > 0 {
		place.WithRegion(sarif.NewRegion().WithStartLine(p.Line).WithStartColumn(p.Column))
	}
	return []*sarif.Location{sarif.NewLocationWithPhysicalLocation(place)}
}

// fileURI is a file name as a URI reference: a relative one stays relative (SARIF 2.1.0, 3.4.3).
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}
