package matrix

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func expectations(t *testing.T, list string) *Expectations {
	t.Helper()
	e, err := ParseExpectations([]byte(`{"expect": [` + list + `]}`))
	require.NoError(t, err)
	return e
}

func TestJudge(t *testing.T) {
	e := expectations(t, `
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

func TestStale(t *testing.T) {
	whole := load(t, cases(`cases: {main_psk: {without: [{systems: [libreswan], reason: x}]}}`))
	e := expectations(t, `
		{"cells": "main_psk:*@uml", "outcome": "failed", "reason": "a", "note": "#1"},
		{"cells": "main_pks:*", "outcome": "failed", "reason": "b", "note": "#1"},
		{"cells": "main_psk:lab→libreswan@uml", "outcome": "failed", "reason": "left out anyway", "note": "#1"}`)
	stale := e.Stale(whole)
	require.Len(t, stale, 2)
	require.Equal(t, "b", stale[0].Reason)
	require.Equal(t, "left out anyway", stale[1].Reason)
	require.Empty(t, (*Expectations)(nil).Stale(whole))
}

func TestExpectationMistakes(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{``, "accepted failures"},
		{`{"expect": []} {}`, "something follows the list"},
		{`{"expected": []}`, `unknown field "expected"`},
		{`{"expect": [{"cells": "", "outcome": "failed", "reason": "x", "note": "#1"}]}`, "an empty pattern"},
		{`{"expect": [{"cells": "a", "outcome": "passed", "reason": "x", "note": "#1"}]}`, `accepted failure 1 (a): outcome: "passed": want failed or broken`},
		{`{"expect": [{"cells": "a", "outcome": "unsupported", "reason": "x", "note": "#1"}]}`, "in cases.yaml"},
		{`{"expect": [{"cells": "a", "outcome": "failed", "reason": " ", "note": "#1"}]}`, "say why it is accepted"},
		{`{"expect": [{"cells": "a", "outcome": "failed", "reason": "x", "note": "somewhere"}]}`, `note: "somewhere": want docs/notes/NAME.md`},
	} {
		_, err := ParseExpectations([]byte(tc.file))
		require.ErrorContains(t, err, tc.want, tc.file)
	}
}
