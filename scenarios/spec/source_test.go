package spec

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const positioned = `title: positions
network: { segments: { lan: {} } }
nodes:
  alice:
    interfaces:
      - segment: lan
        address: 10.0.0.1/24
  bob: { interfaces: [{ segment: lan, address: 10.0.0.2/24 }] }
steps:
  - wait: 1s
  - title: the second
    ping:
      from: alice
      to: bob
`

func TestLine(t *testing.T) {
	s, err := Parse("positions.yaml", []byte(positioned))
	require.NoError(t, err)
	for path, line := range map[string]int{
		"$":                                    1,
		"$.title":                              1,
		"$.nodes":                              3,
		"$.nodes.alice":                        4,
		"$.nodes.alice.interfaces[0]":          6,
		"$.nodes.alice.interfaces[0].address":  7,
		"$.nodes.bob.interfaces[0].address":    8,
		"$.steps[0]":                           10,
		"$.steps[1]":                           11,
		"$.steps[1].ping":                      12,
		"$.steps[1].ping.to":                   14,
		"$.steps[1].ping.count":                12, // not there: the thing around it
		"$.steps[7].ping.count":                9,
		"$.invariants[0].wire":                 1,
		`$.nodes."odd. key[0]".interfaces`:     3,
		"$.steps[1].expect.wire.protection.no": 11,
	} {
		require.Equal(t, line, s.Line(path), path)
	}
}

func TestErrorf(t *testing.T) {
	s, err := Parse("dir/positions.yaml", []byte(positioned))
	require.NoError(t, err)
	e := s.Errorf("$.steps[1].ping.to", "to: %s is asleep", "bob")
	require.Equal(t, &Error{
		File: "dir/positions.yaml", Line: 14, Column: 11, Path: "$.steps[1].ping.to", Message: "to: bob is asleep",
		Excerpt: "  13 |       from: alice\n> 14 |       to: bob\n     |           ^",
	}, e)
	require.EqualError(t, e, "dir/positions.yaml:14:11: to: bob is asleep\n"+e.Excerpt)
	require.EqualError(t, s.Errorf("$.steps[1].ping", "no"), "dir/positions.yaml:12:5: no\n  11 |   - title: the second\n> 12 |     ping:\n     |     ^")

	require.Equal(t, "dir/positions.yaml", s.File())

	built := &Scenario{Name: "built"}
	require.Empty(t, built.File())
	require.Zero(t, built.Line("$.steps[1]"))
	require.EqualError(t, built.Errorf("$.steps[1].ping.to", "to: %s is asleep", "bob"), "built: $.steps[1].ping.to: to: bob is asleep")
	require.EqualError(t, built.Errorf("$", "no"), "built: no")
	require.EqualError(t, (&Scenario{}).Errorf("$.title", "no"), "$.title: no")
}

func TestErrorsUnwrap(t *testing.T) {
	_, err := Parse("a.yaml", []byte("titel: x\n"))
	var all Errors
	require.True(t, errors.As(fmt.Errorf("loading: %w", err), &all))
	require.Len(t, all, 4)
	var one *Error
	require.True(t, errors.As(err, &one))
	require.Equal(t, all[0], one)
	require.Equal(t, `unknown key "titel"; did you mean "title"?`, one.Message)
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]string{
		"$":                        "",
		"$.a":                      "$",
		"$.a.b-c[3]":               "$.a.b-c",
		"$.a[12].b":                "$.a[12]",
		`$.nodes."b.o[1].b"`:       "$.nodes",
		`$.nodes."b.o[1].b".x`:     `$.nodes."b.o[1].b"`,
		`$.nodes."b.o[1].b"[3]`:    `$.nodes."b.o[1].b"`,
		child("$.nodes", `a"."b`):  "$.nodes",
		child("$.nodes", "a b"):    "$.nodes",
		child("$.nodes", "alice"):  "$.nodes",
		item(child("$", "a b"), 0): `$."a b"`,
	} {
		require.Equal(t, want, parent(path), path)
	}
}

func TestSuggest(t *testing.T) {
	for _, tc := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"form", []string{"to", "from"}, "from"}, // two neighbours swapped
		{"pin", []string{"ping", "udp"}, "ping"},
		{"conect", []string{"ping", "connect"}, "connect"},
		{"ALICE", []string{"alice"}, "alice"},
		{"bob", []string{"rob", "bobby", "bo"}, "rob"}, // the first of equals
		{"alice", []string{"bob", "carol"}, ""},
		{"x", []string{"yz", "xyz"}, ""},
		{"", []string{"a"}, "a"},
		{"same", []string{"same"}, ""},
	} {
		require.Equal(t, tc.want, nearest(tc.word, tc.candidates), tc.word)
	}
}

func TestAmong(t *testing.T) {
	many := make([]string, listed+5)
	for i := range many {
		many[i] = fmt.Sprintf("host-%02d", i)
	}
	for _, tc := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"nobody", []string{"alice", "bob"}, ": there are alice, bob"},
		{"rob", []string{"alice", "bob"}, `: there are alice, bob; did you mean "bob"?`},
		{"bob", nil, ": there are none"},
		{"nobody", many, ": there are " + strings.Join(many[:listed], ", ") + " and 5 more"},
		{"nobody", many[:listed+1], ": there are " + strings.Join(many[:listed+1], ", ")},
		{"host-2", many, ": there are " + strings.Join(many[:listed], ", ") + ` and 5 more; did you mean "host-02"?`},
	} {
		require.Equal(t, tc.want, Among(tc.word, tc.candidates))
	}
}

func TestEdits(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"kitten", "sitting", 3}, // the textbook's example
		{"abcd", "acbd", 1}, {"ca", "abc", 3},
	} {
		require.Equal(t, tc.want, edits(tc.a, tc.b), "%s %s", tc.a, tc.b)
	}
}
