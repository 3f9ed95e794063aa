package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

var example = regexp.MustCompile(`(?m)^  ipseclab (.*)$`)

// TestExamples: the command lines in the help of all commands are understood, the scenarios
// and cells that they name are there, and those that need no file of the user's own work.
func TestExamples(t *testing.T) {
	examples := 0
	for _, command := range kong.Must(&cli{}, defaults).Model.Leaves(true) {
		for _, m := range example.FindAllStringSubmatch(command.Detail, -1) {
			line, _, _ := strings.Cut(m[1], " > ")
			args := strings.Fields(line)
			t.Run(line, func(t *testing.T) {
				k, err := kong.Must(&cli{}, defaults).Parse(args)
				require.NoError(t, err)
				examples++
				own := false
				for _, p := range k.Path {
					if p.Positional == nil {
						continue
					}
					for _, word := range words(p.Positional) {
						if filepath.Ext(word) != "" || strings.HasPrefix(word, "./") {
							own = true
						} else if p.Positional.Name == "file|name" || p.Positional.Name == "file|dir|name" {
							found, err := inputsOf(word)
							require.NoError(t, err)
							_, err = found[0].load()
							require.NoError(t, err)
						}
					}
				}
				if own || args[0] == "run" || args[0] == "interop" && args[1] != "list" { // of which other tests run the catalogue, and real peers
					return
				}
				var stdout, stderr bytes.Buffer
				require.Equal(t, exitOK, ipseclab(t.Context(), args, &stdout, &stderr), "%s", &stderr)
				require.NotEmpty(t, stdout.String())
			})
		}
	}
	require.Greater(t, examples, 10)
}

// TestDefaultsAreShown: the help of a flag shows its default in place of a value, or says it.
func TestDefaultsAreShown(t *testing.T) {
	for _, command := range kong.Must(&cli{}, defaults).Model.Leaves(true) {
		for _, flag := range command.Flags {
			if flag.Default != "" && flag.PlaceHolder != "" {
				require.Regexp(t, `Default: (\./)?`+flag.Default+`\.`, flag.Help, "%s --%s", command.Name, flag.Name)
			}
		}
	}
}

// words are the values of a positional argument.
func words(p *kong.Positional) []string {
	switch v := p.Target.Interface().(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}
