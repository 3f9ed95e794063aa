package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios"
)

const published = "../../docs/schema"

// resultSchemas are the schemas of what a run leaves behind, and of what show and explain
// print, made from the Go types and their comments.
func resultSchemas(t *testing.T) map[string][]byte {
	outcomes := []any{result.Passed, result.Unsupported, result.Failed, result.Broken}
	var kinds []any
	for _, k := range result.Kinds() {
		kinds = append(kinds, k)
	}
	r := jsonschema.Reflector{
		ExpandedStruct: true, Anonymous: true, AllowAdditionalProperties: true, // a reader ignores what a later version adds
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[result.Outcome]():
				return &jsonschema.Schema{Type: "string", Enum: outcomes}
			case reflect.TypeFor[result.Kind]():
				return &jsonschema.Schema{Type: "string", Enum: kinds}
			case reflect.TypeFor[time.Duration]():
				return &jsonschema.Schema{Type: "integer"}
			}
			return nil
		},
	}
	t.Chdir("../..") // the comments are found by the path from here
	for _, dir := range []string{"./internal/result", "./scenarios", "./hosts/policy"} {
		require.NoError(t, r.AddGoComments("github.com/ipseclab/ipseclab", dir))
	}
	schemas := map[string][]byte{}
	for name, v := range map[string]any{
		"result.schema.json": &result.Scenario{}, "results.schema.json": &result.Run{}, "grid.schema.json": &result.Grid{}, "observers.schema.json": []result.Observer{}, "snapshot.schema.json": &scenarios.Snapshot{},
		"explanation.schema.json": &scenarios.Explanation{}, "matrix.schema.json": &result.Matrix{}, "expect.schema.json": &result.MatrixExpectations{},
	} {
		s := r.Reflect(v)
		s.ID = jsonschema.ID("https://raw.githubusercontent.com/ipseclab/ipseclab/main/docs/schema/" + name)
		b, err := json.MarshalIndent(s, "", "  ")
		require.NoError(t, err)
		schemas[name] = append(b, '\n')
	}
	t.Chdir("cmd/ipseclab")
	return schemas
}

// TestResultSchemasArePublished fails when a published file is stale; -update writes it anew.
func TestResultSchemasArePublished(t *testing.T) {
	for name, schema := range resultSchemas(t) {
		path := filepath.Join(published, name)
		if *update {
			require.NoError(t, os.WriteFile(path, schema, 0o644))
		}
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(file), string(schema), "stale: run go test ./cmd/ipseclab -run Schema -update")
	}
}

// TestResultsFitTheirSchemas: what a run writes is what is published, checked
// by a validator that shares nothing with the generator.
func TestResultsFitTheirSchemas(t *testing.T) {
	out := filepath.Join(t.TempDir(), "r")
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, ipseclab(t.Context(), []string{"run", "--out", out, files(t, "a", "b")}, &stdout, &stderr), "%s", &stderr)
	grid := filepath.Join(t.TempDir(), "g")
	require.Equal(t, exitOK, ipseclab(t.Context(), []string{"run", "--evidence", "full", "--out", grid, "../../scenarios/testdata/grid/who_reaches_whom.yaml"}, &stdout, &stderr), "%s", &stderr)
	for file, schema := range map[string]string{
		filepath.Join(out, "results.json"): "results.schema.json", filepath.Join(out, "a/result.json"): "result.schema.json",
		filepath.Join(grid, "results.json"): "results.schema.json", filepath.Join(grid, "who_reaches_whom/esp_esp/result.json"): "result.schema.json",
	} {
		s, err := validator.NewCompiler().Compile(filepath.Join(published, schema))
		require.NoError(t, err)
		v := readJSON(t, file)
		require.NoError(t, s.Validate(v), file)
		v["outcome"] = "fine"
		require.Error(t, s.Validate(v), file)
	}
	s, err := validator.NewCompiler().Compile(filepath.Join(published, "grid.schema.json"))
	require.NoError(t, err)
	v := readJSON(t, filepath.Join(grid, "who_reaches_whom/grid.json"))
	require.NoError(t, s.Validate(v))
	v["cells"].([]any)[0].(map[string]any)["measured"].(map[string]any)["first_byte_ns"] = "soon"
	require.Error(t, s.Validate(v))
}

func readJSON(t *testing.T, file string) map[string]any {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	v, err := validator.UnmarshalJSON(f)
	require.NoError(t, err)
	return v.(map[string]any)
}

// TestSnapshotsFitTheirSchema: the same of what show prints, in all its parts.
func TestSnapshotsFitTheirSchema(t *testing.T) {
	s, err := validator.NewCompiler().Compile(filepath.Join(published, "snapshot.schema.json"))
	require.NoError(t, err)
	for _, part := range scenarios.Parts() {
		var stdout, stderr bytes.Buffer
		args := []string{"show", "event_soft_association", "--host", "client", "--at", "4s", "--format", "json", part}
		require.Equal(t, exitOK, ipseclab(t.Context(), args, &stdout, &stderr), "%s", &stderr)
		v, err := validator.UnmarshalJSON(&stdout)
		require.NoError(t, err)
		require.NoError(t, s.Validate(v), part)
		v.(map[string]any)["at_ns"] = "soon"
		require.Error(t, s.Validate(v), part)
	}
}

// TestExplanationsFitTheirSchema: the same of what explain prints.
func TestExplanationsFitTheirSchema(t *testing.T) {
	s, err := validator.NewCompiler().Compile(filepath.Join(published, "explanation.schema.json"))
	require.NoError(t, err)
	for _, args := range [][]string{
		{"tunnel_before_transport/permit", "--from", "client", "--to", "server", "--port", "1433"},
		{"soft_after_silence/3s", "--from", "client", "--to", "server", "--proto", "udp", "--port", "7", "--at", "4s"},
		{"exempt_kerberos_source_port/windows-2000", "--from", "scanner", "--to", "server", "--port", "445", "--from-port", "88"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitOK, ipseclab(t.Context(), append([]string{"explain", "--format", "json"}, args...), &stdout, &stderr), "%s", &stderr)
		v, err := validator.UnmarshalJSON(&stdout)
		require.NoError(t, err)
		require.NoError(t, s.Validate(v), args[0])
		v.(map[string]any)["views"] = "none"
		require.Error(t, s.Validate(v), args[0])
	}
}

// What observers leave behind, of each kind.
func TestObserversFitTheirSchema(t *testing.T) {
	s, err := validator.NewCompiler().Compile(filepath.Join(published, "observers.schema.json"))
	require.NoError(t, err)
	for _, name := range []string{"observer_netflow", "observer_sniffer", "observer_ids_blind", "observer_marking_router", "observer_fair_queue"} {
		out := filepath.Join(t.TempDir(), "r")
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitOK, ipseclab(t.Context(), []string{"run", "--out", out, name}, &stdout, &stderr), "%s", &stderr)
		found, err := filepath.Glob(filepath.Join(out, name, "*", "observers.json"))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		for _, file := range found {
			f, err := os.Open(file)
			require.NoError(t, err)
			v, err := validator.UnmarshalJSON(f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.NoError(t, s.Validate(v), file)
			v.([]any)[0].(map[string]any)["counts"] = "many"
			require.Error(t, s.Validate(v))
		}
	}
}

// A run of the matrix, and the accepted failures of the lab.
func TestMatrixFitsItsSchema(t *testing.T) {
	real := newCellRunner
	fakeCells()
	t.Cleanup(func() { newCellRunner = real })
	t.Setenv("FAKE", "main_psk:*@uml=failed:known")
	out := filepath.Join(t.TempDir(), "m")
	expect := filepath.Join(t.TempDir(), "expect.json")
	require.NoError(t, os.WriteFile(expect, []byte(`{"expect": [{"cells": "main_psk:*", "outcome": "failed", "reason": "known", "note": "#7"}]}`), 0o644))
	cases := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(cases, "main_psk.yaml"), []byte(strings.NewReplacer("alice", "initiator", "bob", "responder").Replace(pingFile)), 0o644))
	var stdout, stderr bytes.Buffer
	args := []string{"interop", "run", "--cases", cases, "--expect", expect, "--out", out, "--shard", "1/1", "--format", "json"}
	require.Equal(t, exitFailed, ipseclab(t.Context(), args, &stdout, &stderr), "%s", &stderr)
	s, err := validator.NewCompiler().Compile(filepath.Join(published, "matrix.schema.json"))
	require.NoError(t, err)
	v := readJSON(t, filepath.Join(out, "matrix.json"))
	require.NoError(t, s.Validate(v))
	printed, err := validator.UnmarshalJSON(&stdout)
	require.NoError(t, err)
	require.Equal(t, v, printed)
	v["cells"].([]any)[0].(map[string]any)["kind"] = "fine"
	require.Error(t, s.Validate(v))

	s, err = validator.NewCompiler().Compile(filepath.Join(published, "expect.schema.json"))
	require.NoError(t, err)
	require.NoError(t, s.Validate(readJSON(t, "../../interop/expect.json")))
	v = readJSON(t, expect)
	require.NoError(t, s.Validate(v))
	v["expect"] = "nothing"
	require.Error(t, s.Validate(v))
}
