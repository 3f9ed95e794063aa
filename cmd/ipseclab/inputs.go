package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// input is one scenario file, on disk or in the catalogue, or one cell of it.
type input struct {
	name string // as the user knows it: the path, or the file's name in the catalogue
	path string // the same however a file on disk is written; empty: in the catalogue
	cell string // empty: all
	read func() ([]*spec.Scenario, error)
}

// inputs finds the files that the words of a command line mean: a file, a
// folder with scenario files, or the name of a scenario of the catalogue. A
// slash and the name of a cell may stand behind a file or a scenario. No word
// means the whole catalogue.
func inputs(words []string) (all []input, err error) {
	if len(words) == 0 {
		for _, name := range catalogue() {
			all = append(all, builtIn(name))
		}
		return all, nil
	}
	for _, word := range words {
		found, err := inputsOf(word)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func inputsOf(word string) ([]input, error) {
	info, err := os.Stat(word)
	switch {
	case err == nil && info.IsDir():
		return folder(word)
	case err == nil:
		return []input{onDisk(word)}, nil
	}
	names := catalogue()
	in, ok := named(names, word)
	if i := strings.LastIndexAny(word, "/"+string(filepath.Separator)); !ok && i > 0 && i+1 < len(word) {
		if head, e := os.Stat(word[:i]); e == nil && !head.IsDir() {
			in, ok = onDisk(word[:i]), true
		} else if e != nil {
			in, ok = named(names, word[:i])
		}
		in.cell = word[i+1:]
	}
	switch {
	case ok:
		return []input{in}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, wrong("%w", err)
	}
	for i := range names {
		names[i] = strings.TrimSuffix(path.Base(names[i]), ".yaml")
	}
	return nil, wrong("%s: there is no such file or folder, and the catalogue has no scenario of that name%s", word, spec.Suggest(word, names))
}

// single is the only scenario that a word means, for a command that takes no more.
func single(command, word string) (*spec.Scenario, error) {
	found, err := inputs([]string{word})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, wrong("%s: %s holds %d scenarios: name one file", command, word, len(found))
	}
	all, err := found[0].load()
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, wrong("%s: %s has %d cells: name one, as in %s", command, word, len(all), word+all[0].Name[strings.IndexByte(all[0].Name, '/'):])
	}
	return all[0], nil
}

// named is the file of the catalogue that a word names.
func named(catalogue []string, word string) (in input, ok bool) {
	i := slices.IndexFunc(catalogue, func(file string) bool { return path.Base(file) == strings.TrimSuffix(word, ".yaml")+".yaml" })
	if i < 0 {
		return input{}, false
	}
	return builtIn(catalogue[i]), true
}

// aboutCases is what lies beside the cases of an interop matrix and says of each what it needs: no scenario.
const aboutCases = "cases.yaml"

// folder are the scenario files that lie directly in a folder.
func folder(dir string) (all []input, err error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, wrong("%w", err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") && e.Name() != aboutCases {
			all = append(all, onDisk(filepath.Join(dir, e.Name())))
		}
	}
	if all == nil {
		return nil, wrong("%s: the folder holds no scenario files (*.yaml)", dir)
	}
	return all, nil
}

func onDisk(file string) input {
	return input{name: file, path: filepath.Clean(file), read: func() ([]*spec.Scenario, error) {
		all, err := scenarios.LoadAll(file)
		if err != nil && looksLikeScript(file) {
			return nil, wrong("%s: this looks like a script of netsh, and no scenario: use ipseclab lint or ipseclab policy import", file)
		}
		return all, err
	}}
}

// scriptLine is how scripts of netsh begin, behind comments and what batch files begin with.
var scriptLine = regexp.MustCompile(`(?i)^@?(netsh|ipsec|(pushd|popd) ipsec|(add|set|delete) (policy|filter|filterlist|filteraction|rule|defaultrule|store|config|mmpolicy|qmpolicy))\b`)

// looksLikeScript reports whether the first line of a file that does something is netsh's.
func looksLikeScript(file string) bool {
	text, err := readScript(file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch word, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(line, "@")), " "); {
		case word == "" || strings.HasPrefix(word, "#") || strings.HasPrefix(word, "::"):
		case word == "rem" || word == "echo" || word == "setlocal":
		default:
			return scriptLine.MatchString(line)
		}
	}
	return false
}

func builtIn(file string) input {
	return input{name: path.Base(file), read: func() ([]*spec.Scenario, error) { return scenarios.LoadAllFS(scenarios.Catalogue(), file) }}
}

// catalogue are the files of the built-in catalogue by name: scenarios, and in a folder of
// their own grids.
func catalogue() (files []string) {
	for _, pattern := range []string{"*.yaml", "grids/*.yaml"} {
		found, err := fs.Glob(scenarios.Catalogue(), pattern)
		if err != nil {
			panic(err) // the pattern is right
		}
		files = append(files, found...)
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(path.Base(a), path.Base(b)) })
	return files
}

// load reads and validates the input: all cells of a file, or the one that is meant.
func (in input) load() ([]*spec.Scenario, error) {
	all, err := in.read()
	if err != nil {
		return nil, err
	}
	if err := scenarios.ValidateAll(all); err != nil || in.cell == "" {
		return all, err
	}
	var names []string
	for _, s := range all {
		_, cell, ok := strings.Cut(s.Name, "/")
		if cell == in.cell {
			return []*spec.Scenario{s}, nil
		}
		if ok {
			names = append(names, cell)
		}
	}
	if names == nil {
		return nil, wrong("%s has no cells, and so none that is called %s", in.name, in.cell)
	}
	return nil, wrong("%s has no cell that is called %s%s", in.name, in.cell, spec.Among(in.cell, names))
}

// loadAll reads and validates what the words mean, and says everything that is
// wrong with it at once. Names are unique.
func loadAll(words []string) ([]*spec.Scenario, error) {
	found, err := inputs(words)
	if err != nil {
		return nil, err
	}
	var all []*spec.Scenario
	var mistakes []error
	first := map[string]input{} // by the names of files and of scenarios
	for _, in := range found {
		cells, err := in.load()
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		for _, s := range cells {
			base, _, _ := strings.Cut(s.Name, "/")
			other, taken := first[s.Name]
			if file, known := first[base]; known && file.path != in.path {
				other, taken = file, true
			}
			if taken {
				mistakes = append(mistakes, wrong("two scenarios are called %s: %s and %s: results have room for one", s.Name, other.name, in.name))
				break
			}
			first[base], first[s.Name] = in, in
			all = append(all, s)
		}
	}
	if mistakes != nil {
		return nil, status{exitWrong, errors.Join(mistakes...)}
	}
	return all, nil
}
