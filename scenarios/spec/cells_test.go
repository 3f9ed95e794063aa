package spec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func cellNames(all []*Scenario) (names []string) {
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// TestCells: a file with parameters is one scenario for each combination of
// values that its matrix leaves, each with the values where it refers to them.
func TestCells(t *testing.T) {
	all, err := ParseAllFile("testdata/valid/matrix.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{
		"matrix/0_3des-sha1", "matrix/0_aes128-gcm", "matrix/0_aes256-sha1", "matrix/1_3des-sha1", "matrix/1_aes128-gcm",
		"matrix/1400_3des-sha1", "matrix/1400_aes128-gcm",
	}, cellNames(all))
	s := all[6]
	require.Equal(t, []Setting{{"size", "1400"}, {"suite", "aes128-gcm"}}, s.Cell)
	require.Equal(t, "Of 1400 bytes under aes128-gcm, that is aes128-gcm, and ${not} this one.\n", s.Story)
	require.Equal(t, 1400, s.Steps[0].Ping.Size)
	require.Equal(t, "5s", s.Steps[0].Ping.Timeout.String(), "a parameter that does not vary")
	require.Equal(t, &Range{1400, 9999}, s.Steps[0].Expect.Received)
	require.Equal(t, "aes128-gcm16", s.Steps[0].Expect.SA.Cipher)
	require.Equal(t, []string{"ESP[AES128-GCM]:1400k/3600s"}, s.FilterActions["secure"].Methods)
	require.Equal(t, "Escaped ${key} of aes128-gcm", s.Policies["p"].Rules[0].Auth[0].PSK)
	require.False(t, s.FilterLists["all"][0].BothWays())
	require.True(t, all[0].FilterLists["all"][0].BothWays())
	require.Equal(t, 34, s.Line("$.steps[0].ping.size"), "the place of the reference, not of the value")

	_, err = ParseFile("testdata/valid/matrix.yaml")
	require.ErrorContains(t, err, "matrix.yaml:2:1: the file holds 7 scenarios, one for each cell, and one was wanted")
}

// A step with pairs is one for each two hosts, all on the line of the one in the file.
func TestPairs(t *testing.T) {
	const text = `title: each with each
parameters: { size: [100, 200] }
network: { segments: { lan: {} } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
  carol: { interfaces: [{ segment: lan, address: 10.0.0.3/24 }] }
steps:
  - wait: 1s
  - title: "${pair.from} calls ${pair.to}, ${pair}"
    pairs: [alice, bob, carol]
    ping: { from: "${pair.to}", to: "${pair.from}", size: "${size}" }
  - wait: 2s
`
	all, err := ParseAll("f.yaml", []byte(text))
	require.NoError(t, err)
	require.Len(t, all, 2)
	for i, s := range all {
		var words []string
		for _, step := range s.Steps {
			require.Nil(t, step.Pairs)
			if words = append(words, step.Words()); step.Ping != nil {
				require.Equal(t, 100*(i+1), step.Ping.Size)
			}
		}
		require.Equal(t, []string{
			"wait 1s", "alice calls bob, alice-bob", "alice calls carol, alice-carol", "bob calls carol, bob-carol", "wait 2s",
		}, words)
		require.Equal(t, "carol", s.Steps[3].Ping.From)
		require.Equal(t, 12, s.Line("$.steps[3].ping.from"))
		require.Equal(t, 13, s.Line("$.steps[4]"))
	}
	all[0].Steps[0].Pairs = []string{"alice", "bob"}
	require.ErrorContains(t, all[0].Check(), "pairs: they are for files: make a step for each two hosts")
}

const cellsOf = `title: pings
%s
network: { segments: { lan: {} } }
nodes:
  alice: { interfaces: [{ segment: lan, address: 10.0.0.1/24 }] }
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
steps:
  - ping: { from: alice, to: bob }
`

func TestMatrix(t *testing.T) {
	const parameters = "parameters: { a: [1, 2], b: [X, y], c: [3] }\n"
	for _, tc := range []struct{ name, text, want string }{
		{"no parameters", "", "f"},
		{"nothing varies", "parameters: { c: [3] }", "f"},
		{"all that have several values", parameters, "f/1_x f/1_y f/2_x f/2_y"},
		{"in another order", parameters + "matrix: { vary: [b, a] }", "f/x_1 f/x_2 f/y_1 f/y_2"},
		{"one value can vary too", parameters + "matrix: { vary: [c, a, b], include: [{ a: 1 }] }", "f/3_1_x f/3_1_y"},
		{"only some", parameters + "matrix: { include: [{ a: 1, b: X }, { b: y }] }", "f/1_x f/1_y f/2_y"},
		{"not some", parameters + "matrix: { exclude: [{ a: 1, b: x }] }", "f/1_y f/2_x f/2_y"},
		{"of some, not others", parameters + "matrix: { include: [{ a: 1 }], exclude: [{ b: x }] }", "f/1_y"},
		{"one of several values", parameters + "matrix: { include: [{ a: [2, 1], b: [y] }] }", "f/1_y f/2_y"},
		{"by a field", "parameters: { a: [{ label: p, odd: true }, { label: q, odd: false }, { label: r, odd: true }] }\nmatrix: { exclude: [{ a.odd: true, a: [q, r] }] }", "f/p f/q"},
		{"through an alias", "parameters: { a: &l [1, 2], b: *l }", "f/1_1 f/1_2 f/2_1 f/2_2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all, err := ParseAll("f.yaml", fmt.Appendf(nil, cellsOf, tc.text))
			require.NoError(t, err)
			require.Equal(t, tc.want, strings.Join(cellNames(all), " "))
		})
	}
}

// TestCellsAreBounded: what would make too many cells is refused before it does.
func TestCellsAreBounded(t *testing.T) {
	list := "[" + strings.TrimSuffix(strings.Repeat("%d, ", 65), ", ") + "]"
	numbers := make([]any, 65)
	for i := range numbers {
		numbers[i] = i
	}
	list = fmt.Sprintf(list, numbers...)
	parse := func(parameters, steps string) error {
		_, err := ParseAll("f.yaml", []byte(fmt.Sprintf(cellsOf, parameters)+steps))
		return err
	}
	require.ErrorContains(t, parse("parameters: { a: "+list+", b: "+list+" }", ""), "the parameters make more than 4096 cells, the most that a file may have")
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "  p%d: %s\n", i, list)
	}
	require.ErrorContains(t, parse("parameters:\n"+many.String(), ""), "more than 65536 combinations")
	require.NoError(t, parse("parameters: { a: "+list+", b: "+list+" }\nmatrix: { include: [{ a: 1 }] }", ""))
	require.ErrorContains(t, parse("parameters: { a: "+list+", b: "+list+", c: "+list+" }\nmatrix: { include: [{ a: 1, b: 1 }] }", ""), "more than 65536 combinations")
	require.ErrorContains(t,
		parse("parameters: { a: "+list+", b: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }", strings.Repeat("  - ping: { from: alice, to: bob }\n", 2000)),
		"the 650 cells of the file hold more than 2000000 values together: split it")
	long := strings.Repeat("x", 63)
	require.ErrorContains(t, parse("parameters: { a: ["+long+"1, "+long+"2] }", ""), "cannot be a part of a cell's name")
	long = long[1:]
	require.ErrorContains(t, parse("parameters: { a: ["+long+"1, "+long+"2], b: ["+long+"3, "+long+"4] }", ""), "is longer than 120 characters: give shorter labels")
}

// TestMistakesOfManyCells: each once, however many cells have it.
func TestMistakesOfManyCells(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, "%d, ", i)
	}
	_, err := ParseAll("f.yaml", fmt.Appendf(nil, cellsOf+"  - ping: { from: alice, to: rob, count: \"${n}x\" }\n", "parameters: { n: ["+b.String()+"] }"))
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, maxFaulty+1, "those of the first cells, and one that all have")
	for _, e := range all {
		require.Equal(t, strings.Contains(e.Message, "(in cell"), strings.HasPrefix(e.Message, "count:"), e.Message)
	}
}
