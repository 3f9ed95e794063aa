package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy/lint"
)

// sarifLog is what a reader of SARIF 2.1.0 looks at, by the names of the standard: it
// shares nothing with the library that writes.
type sarifLog struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []struct {
		ColumnKind string `json:"columnKind"`
		Tool       struct {
			Driver struct {
				Name, InformationURI, Version string
				Rules                         []struct {
					ID, HelpURI                             string
					ShortDescription, FullDescription, Help struct{ Text string }
					DefaultConfiguration                    struct{ Level string }
				}
			}
		}
		Results []struct {
			RuleID    string
			RuleIndex *int
			Level     string
			Message   struct{ Text string }
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine, StartColumn int }
				}
			}
		}
	}
}

func readSARIF(t *testing.T, text []byte) (log sarifLog) {
	require.NoError(t, json.Unmarshal(text, &log), "%s", text)
	require.Equal(t, "2.1.0", log.Version)
	require.Contains(t, log.Schema, "sarif-schema-2.1.0.json")
	require.Len(t, log.Runs, 1)
	return log
}

func TestLintSARIF(t *testing.T) {
	dir := t.TempDir()
	bad, err := os.ReadFile("../../scenarios/testdata/lint/bad/des.yaml")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "two words"), 0o755))
	file := filepath.Join(dir, "two words", "des.yaml")
	require.NoError(t, os.WriteFile(file, bad, 0o644))

	var out, stderr bytes.Buffer
	require.Equal(t, exitFailed, ipseclab(t.Context(), []string{"lint", "--format", "sarif", file}, &out, &stderr), "%s", &stderr)
	run := readSARIF(t, out.Bytes()).Runs[0]
	require.Equal(t, "ipseclab", run.Tool.Driver.Name)
	require.Equal(t, "unicodeCodePoints", run.ColumnKind)

	levels := map[lint.Severity]string{lint.Info: "note", lint.Warning: "warning", lint.Error: "error"}
	require.Len(t, run.Tool.Driver.Rules, len(lint.Rules()))
	for i, r := range lint.Rules() {
		got := run.Tool.Driver.Rules[i]
		require.Equal(t, r.ID, got.ID)
		require.Equal(t, levels[r.Severity], got.DefaultConfiguration.Level)
		require.Equal(t, []string{r.Title, r.Why, r.Fix}, []string{got.ShortDescription.Text, got.FullDescription.Text, got.Help.Text})
	}

	require.Len(t, run.Results, 1)
	result := run.Results[0]
	require.Equal(t, "des", result.RuleID)
	require.Equal(t, "des", run.Tool.Driver.Rules[*result.RuleIndex].ID)
	require.Equal(t, "error", result.Level)
	require.Contains(t, result.Message.Text, "ESP[DES,SHA1] encrypts with DES. ")
	require.Len(t, result.Locations, 1)
	place := result.Locations[0].PhysicalLocation
	require.Equal(t, "file://"+filepath.ToSlash(dir)+"/two%20words/des.yaml", place.ArtifactLocation.URI)
	require.Equal(t, 10, place.Region.StartLine)
	require.Equal(t, 68, place.Region.StartColumn)

	// A file of the working folder keeps its relative name; without findings there is an empty list.
	t.Chdir(dir)
	out.Reset()
	require.Equal(t, exitFailed, ipseclab(t.Context(), []string{"lint", "--format", "sarif", "two words/des.yaml"}, &out, &stderr))
	require.Equal(t, "two%20words/des.yaml", readSARIF(t, out.Bytes()).Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	out.Reset()
	require.Equal(t, exitOK, ipseclab(t.Context(), []string{"lint", "--format", "sarif", "--ignore", "des", "two words/des.yaml"}, &out, &stderr))
	require.Contains(t, out.String(), `"results": []`)
}
