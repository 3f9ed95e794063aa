package sourced

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type thing struct {
	colour string
	sides  int
	heavy  bool
	words  []string
	age    time.Duration
}

var thingKeys = []Key[thing]{
	Acts("colour", "its colour", Word(func(t *thing) *string { return &t.colour }, "red", "grey")),
	Acts("sides", "how many it has", Number(2, func(t *thing) *int { return &t.sides })),
	Acts("heavy", "whether it is", Flag(func(t *thing) *bool { return &t.heavy })),
	Acts("words", "some", Words(func(t *thing) *[]string { return &t.words }, "a", "b")),
	Acts("age", "how old it is", Span(func(t *thing) *time.Duration { return &t.age })),
	Told[thing]("story", "where it comes from"),
}

// An entry has what it says itself, then what its bases say, in the order of the keys.
func TestParse(t *testing.T) {
	all, err := Parse([]byte(`
bases:
  plain: {values: {colour: {value: grey, source: s, status: fact}, sides: {value: 4, source: s, status: choice}}}
  old: {values: {age: {value: 1h30m, source: s, status: unconfirmed}}}
things:
  two: {title: Two, like: one, values: {heavy: {value: true, source: t, status: fact}, words: {value: [b, a], source: t, status: fact}}}
  one: {title: One, like: plain, with: old, values: {colour: {value: red, source: r, status: fact}, story: {value: a tale, source: r, status: choice}}}
`), "things", thingKeys)
	require.NoError(t, err)
	require.Len(t, all, 2)
	two, one := all[0], all[1]
	require.Equal(t, thing{colour: "red", sides: 4, age: 90 * time.Minute}, one.Of)
	require.Equal(t, []Value{
		{Key: "colour", Text: "red", Source: "r", Status: Fact},
		{Key: "sides", Text: "4", Source: "s", Status: Choice},
		{Key: "age", Text: "1h30m", Source: "s", Status: Unconfirmed},
		{Key: "story", Text: "a tale", Source: "r", Status: Choice, Informational: true},
	}, one.Values)
	require.Equal(t, []string{"sides", "age"}, Unsure(one.Values))
	require.Equal(t, thing{colour: "red", sides: 4, heavy: true, words: []string{"b", "a"}, age: 90 * time.Minute}, two.Of)
	v, ok := two.Value("words")
	require.True(t, ok)
	require.Equal(t, "b, a", v.Text)
	_, ok = one.Value("words")
	require.False(t, ok)
	require.Equal(t, []string{"red", "grey"}, thingKeys[0].Words)
}

// Slips in data files, each planted, so that they are seen to be found.
func TestSlips(t *testing.T) {
	for text, want := range map[string]string{
		`things: {a: {title: A, values: {sides: {value: 4, status: fact}}}}`:            "a: sides has no source",
		`things: {a: {title: A, values: {sides: {value: 4, source: s, status: sure}}}}`: `status "sure" is none of`,
		`things: {a: {title: A, values: {sidez: {value: 4, source: s, status: fact}}}}`: "nothing is called sidez",
		`things: {a: {values: {}}}`:                                                         "it has no title",
		`things: {a: {title: A, like: b}}`:                                                  `it is like "b", which there is not`,
		`things: {a: {title: A, like: a}}`:                                                  "it is like itself",
		`things: {a: {title: A, value: {}}}`:                                                "unknown field",
		`thinks: {a: {title: A}}`:                                                           `unknown field "thinks"`,
		"things: {a: {title: A}}\n---\nthings: {}":                                          "more than one document",
		`things: {a: {title: A, values: {sides: {value: 1, source: s, status: fact}}}}`:     "want a number from 2 on, got 1",
		`things: {a: {title: A, values: {colour: {value: blue, source: s, status: fact}}}}`: "want one of red, grey, got blue",
		`things: {a: {title: A, values: {heavy: {value: maybe, source: s, status: fact}}}}`: "want true or false, got maybe",
		`things: {a: {title: A, values: {words: {value: a, source: s, status: fact}}}}`:     "want a list of a, b, got a",
		`things: {a: {title: A, values: {words: {value: [c], source: s, status: fact}}}}`:   "want a list of a, b",
		`things: {a: {title: A, values: {age: {value: soon, source: s, status: fact}}}}`:    "want a time span, got soon",
		`things: {a: {title: A, values: {story: {value: 7, source: s, status: fact}}}}`:     "want a text, got 7",
		`things: [`: "",
	} {
		_, err := Parse([]byte(text), "things", thingKeys)
		require.ErrorContains(t, err, want, text)
	}
}
