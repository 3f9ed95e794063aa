package matrix

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

func expectations(t *testing.T, whole []Cell, list string) *Expectations {
	t.Helper()
	e, err := ParseExpectations("expect.json", []byte(`{"expect": [`+list+`]}`), whole, nil)
	require.NoError(t, err)
	return e
}

func TestJudge(t *testing.T) {
	e := expectations(t, load(t, cases("")), `
		{"cells": "main_psk:*→libreswan@*", "outcome": "failed", "saying": "no DES", "reason": "it has none", "note": "docs/notes/libreswan.md"},
		{"cells": "main_*@uml", "outcome": "broken", "reason": "it hangs", "note": "#7"}`)
	id := CellID{Case: "main_psk", Pair: Pair{Lab, Libreswan}, Driver: UML}
	for _, tc := range []struct {
		name   string
		id     CellID
		o      result.Outcome
		reason string
		want   result.Kind
		by     string
	}{
		{"as expected", id, result.Failed, "proposal: no DES there", result.KindAccepted, "it has none"},
		{"another failure", id, result.Failed, "no data", result.KindFailed, ""},
		{"by the second one", id, result.Broken, "hung", result.KindAccepted, "it hangs"},
		{"passed", id, result.Passed, "", result.KindUnexpected, "it has none"},
		{"unsupported is never accepted", id, result.Unsupported, "no DES", result.KindUnsupported, ""},
		{"not run", id, "", "", result.KindNotRun, ""},
		{"not meant", CellID{Case: "rekey", Pair: Pair{Lab, Lab}, Driver: Virtual}, result.Failed, "no DES", result.KindFailed, ""},
	} {
		kind, by := e.Judge(tc.id, tc.o, tc.reason)
		require.Equal(t, tc.want, kind, tc.name)
		if tc.by == "" {
			require.Nil(t, by, tc.name)
		} else {
			require.Equal(t, tc.by, by.Reason, tc.name)
		}
	}
	kind, _ := (*Expectations)(nil).Judge(id, result.Failed, "")
	require.Equal(t, result.KindFailed, kind)
}

func TestExpectationMistakes(t *testing.T) {
	whole := load(t, cases(`cases: {main_psk: {without: [{systems: [libreswan], reason: it has no main mode}]}}`))
	entry := func(cells, more string) string {
		return "{\n\t\"expect\": [\n\t\t{\"cells\": \"" + cells + "\", " + more + "}\n\t]\n}\n"
	}
	for _, tc := range []struct {
		file string
		want []string
	}{
		{"", []string{"expect.json: the file is empty: a list of accepted failures has $schema, expect"}},
		{"{\"expect\": [\n", []string{"expect.json:1:13: unexpected end of JSON input"}},
		{"{\"expect\": []\n} {}", []string{"expect.json:2:3: invalid character '{' after top-level value"}},
		{"{\"expect\": [\n  # no\n]}", []string{"expect.json:2:3: invalid character '#' looking for beginning of value"}},
		{"[]", []string{"expect.json:1:1: list of accepted failures: want a mapping, got a list"}},
		{`{"expected": []}`, []string{`expect.json:1:2: unknown key "expected"; did you mean "expect"?`}},
		{`{"expect": [], "expect": []}`, []string{`expect.json:1:16: key "expect" is there twice: line 1 has it already`}},
		{entry("main_psk:*", `"outcome": "failed", "saying": 3, "reason": "x", "note": "#1", "why": ""`), []string{
			`expect.json:3:58: saying: want text, got a number: put it in quotes: "3"`,
			`expect.json:3:90: unknown key "why": expect[0] has cells, outcome, saying, reason, note`,
		}},
		{entry("", `"outcome": "failed", "reason": "x", "note": "#1"`), []string{`expect.json:3:13: cells: want a pattern of names, got ""`}},
		{entry("{main", `"outcome": "failed", "reason": "x", "note": "#1"`), []string{`expect.json:3:13: cells: the pattern has { without }, got "{main"`}},
		{entry("main_pks:*", `"outcome": "failed", "reason": "x", "note": "#1"`), []string{
			`expect.json:3:13: cells: no cell of the matrix is called main_pks:*: take it out if the cells are gone`,
		}},
		{entry("main_psk:lab→libreswan@uml", `"outcome": "failed", "reason": "x", "note": "#1"`), []string{
			"expect.json:3:13: cells: main_psk:lab→libreswan@uml means cells that are left out: it has no main mode",
		}},
		{entry("main_psk:*", `"outcome": "passed", "reason": " ", "note": "somewhere"`), []string{
			`expect.json:3:38: outcome: want failed or broken, got "passed"; what cannot be done at all is unsupported, in cases.yaml`,
			"expect.json:3:58: reason: say why it is accepted",
			`expect.json:3:71: note: want docs/notes/NAME.md, #ISSUE or an address with https, got "somewhere"`,
		}},
		{entry("main_psk:*", `"outcome": "failed"`), []string{
			"expect.json:3:3: reason: say why it is accepted",
			`expect.json:3:3: note: want docs/notes/NAME.md, #ISSUE or an address with https, got ""`,
		}},
		{entry("main_psk:*", `"outcome": "failed", "reason": "x", "note": "docs/notes/gone.md#why"`), []string{
			"expect.json:3:71: note: there is no file docs/notes/gone.md",
		}},
		{entry("main_psk:*", `"outcome": "failed", "reason": "x", "note": "docs/notes/here.md#why"`), nil},
	} {
		_, err := ParseExpectations("expect.json", []byte(tc.file), whole, func(file string) bool { return file == "docs/notes/here.md" })
		require.Equal(t, tc.want, heads(err), tc.file)
	}
}

// heads are the mistakes without what is shown of the file.
func heads(err error) (all []string) {
	for _, e := range spec.Mistakes(err) {
		text := *e
		text.Excerpt = ""
		all = append(all, text.Error())
	}
	return all
}
