package spec

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// shelf is a document of a test.
type shelf struct {
	Title string          `yaml:"title"`
	Books map[string]book `yaml:"books"`
}

type book struct {
	Pages int      `yaml:"pages"`
	Words []string `yaml:"words"`
}

func TestDocument(t *testing.T) {
	var s shelf
	doc, err := ReadYAML("dir/shelf.yaml", "shelf", []byte("title: ${what} $${ever}\nbooks:\n  \"a ${b}\":\n    pages: 3\n    words: [x, \"y\"]\n"), &s)
	require.NoError(t, err)
	require.Equal(t, shelf{"${what} $${ever}", map[string]book{"a ${b}": {3, []string{"x", "y"}}}}, s, "there are no parameters")
	require.NoError(t, doc.Err())
	doc.Fail(Path("books", "a ${b}", "words", 1), "words[%d]: it is short", 1)
	doc.Fail(Path("books", "a ${b}", "cover"), "it has no cover")
	require.EqualError(t, doc.Err(), "dir/shelf.yaml:3:3: it has no cover\n  2 | books:\n> 3 |   \"a ${b}\":\n    |   ^\n"+
		"dir/shelf.yaml:5:16: words[1]: it is short\n  4 |     pages: 3\n> 5 |     words: [x, \"y\"]\n    |                ^")

	s = shelf{}
	doc, err = ReadJSON("shelf.json", "shelf", []byte("{\n\t\"title\":\t\"a \\u00e9 \\/ \\ud83d\\ude00\",\n\t\"books\": {\"b\":\t{\"pages\": 3}}}"), &s)
	require.NoError(t, err)
	require.Equal(t, shelf{"a é / 😀", map[string]book{"b": {Pages: 3}}}, s)
	doc.Fail(Path("books", "b", "pages"), "too few")
	require.EqualError(t, doc.Err(), "shelf.json:3:27: too few\n  2 |  \"title\": \"a \\u00e9 \\/ \\ud83d\\ude00\",\n> 3 |  \"books\": {\"b\": {\"pages\": 3}}}\n    |                           ^")
}

func TestDocumentMistakes(t *testing.T) {
	yaml := func(name string, src []byte, s *shelf) (*Document, error) { return ReadYAML(name, "shelf", src, s) }
	json := func(name string, src []byte, s *shelf) (*Document, error) { return ReadJSON(name, "shelf", src, s) }
	for _, tc := range []struct {
		read      func(string, []byte, *shelf) (*Document, error)
		src, want string
	}{
		{yaml, "", "f: the file is empty: a shelf has title, books"},
		{yaml, "# later\n", "f: the file holds nothing but comments: a shelf has title, books"},
		{yaml, "- 1", "f:1:1: shelf: want a mapping, got a list"},
		{yaml, "~", "f:1:1: the shelf is empty: give it a value or leave it out"},
		{yaml, "titel: x", `f:1:1: unknown key "titel"; did you mean "title"?`},
		{yaml, "shape: x", `f:1:1: unknown key "shape": a shelf has title, books`},
		{yaml, "a: 1\n---\nb: 1", "f:3:1: a second document begins here: a file holds one shelf"},
		{yaml, "books: {b: {pages: many}}", `f:1:20: pages: want a whole number, got the text "many"`},
		{json, "{}\n{}", "f:2:1: invalid character '{' after top-level value"},
		{json, "title: x", "f:1:2: invalid character 'i' in literal true (expecting 'r')"},
		{json, "{\"title\": \"\xff\"}", "f:1:12: this is not text: want UTF-8"},
		{json, "null", "f:1:1: the shelf is empty: give it a value or leave it out"},
		{json, `{"title": "é", "books": []}`, "f:1:25: books: want a mapping of names, got a list"},
	} {
		_, err := tc.read("f", []byte(tc.src), &shelf{})
		var mistakes Errors
		require.True(t, errors.As(err, &mistakes), tc.src)
		require.Len(t, mistakes, 1)
		mistakes[0].Excerpt = ""
		require.EqualError(t, mistakes, tc.want, tc.src)
	}
}
