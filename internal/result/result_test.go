package result_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func TestWorse(t *testing.T) {
	const (
		passed, unsupported, failed, broken = result.Passed, result.Unsupported, result.Failed, result.Broken
	)
	for _, c := range []struct{ a, b, want result.Outcome }{
		{passed, passed, passed},
		{passed, unsupported, unsupported},
		{unsupported, failed, failed},
		{failed, broken, broken}, // nothing is known about a scenario whose lab broke
		{"", passed, passed},
		{"", "", passed},
		{"", failed, failed},
	} {
		require.Equal(t, c.want, c.a.Worse(c.b), "%q and %q", c.a, c.b)
		require.Equal(t, c.want, c.b.Worse(c.a), "%q and %q", c.b, c.a)
	}
	list := []result.Outcome{broken, passed, failed, unsupported}
	slices.SortFunc(list, result.Outcome.Compare)
	require.Equal(t, []result.Outcome{passed, unsupported, failed, broken}, list)
}

func TestReadRestoresWhatWasWritten(t *testing.T) {
	removed := 3 * time.Hour
	want := &result.Scenario{
		Name: "a", Title: "b", Outcome: result.Failed, Seed: 7, Start: time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC),
		Steps: []result.Step{{Index: 1, Outcome: result.Failed, Checks: []result.Check{{Name: "c", Outcome: result.Failed, Line: 4}}}},
		SAs:   []result.SA{{SPI: 1, Removed: &removed}, {SPI: 2}},
	}
	b, err := json.Marshal(want)
	require.NoError(t, err)
	got, err := result.Read(strings.NewReader(string(b)))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestReadNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty file", "", "result: the file is empty"},
		{"cut short", `{"name":"a","outco`, "result: unexpected EOF"},
		{"two results", `{"outcome":"passed"}{}`, "result: something follows the result"},
		{"no outcome", `{"name":"a"}`, `result: scenario "a" has the unknown outcome ""`},
		{"unknown outcome of a step", `{"outcome":"passed","steps":[{"index":3,"outcome":"fine"}]}`, `result: step 3 has the unknown outcome "fine"`},
		{"unknown outcome of a check", `{"outcome":"passed","steps":[{"index":3,"outcome":"passed","checks":[{"name":"wire"}]}]}`,
			`result: step 3: check "wire" has the unknown outcome ""`},
		{"unknown outcome of an invariant", `{"outcome":"passed","invariants":[{"name":"oracle","outcome":"x"}]}`,
			`result: invariants: check "oracle" has the unknown outcome "x"`},
		{"wrong type", `[]`, "result: json: cannot unmarshal array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := result.Read(strings.NewReader(c.in))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// endless is a result whose story never ends.
type endless struct{ started bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.started {
		e.started = true
		return copy(p, `{"story":"`), nil
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReadIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 64 MB")
	}
	_, err := result.Read(&endless{})
	require.ErrorContains(t, err, "longer than")
}

func TestAverage(t *testing.T) {
	var r result.Run
	require.Equal(t, result.Average{}, r.Average())
	r.Scenarios = []result.Entry{{Wall: 10}, {Wall: 700, Long: true}, {Wall: 30}}
	require.Equal(t, result.Average{Scenarios: 2, LongScenarios: 1, Each: 20, LongEach: 700}, r.Average())
}
