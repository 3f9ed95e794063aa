package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// input is one scenario file, on disk or in the catalogue.
type input struct {
	name string // as the user knows it: the path, or the file's name in the catalogue
	read func() (*spec.Scenario, error)
}

// inputs finds the files that the words of a command line mean: a file, a
// folder with scenario files, or the name of a scenario of the catalogue. No
// word means the whole catalogue.
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
	case !errors.Is(err, fs.ErrNotExist):
		return nil, wrong("%w", err)
	}
	names := catalogue()
	if i := slices.Index(names, strings.TrimSuffix(word, ".yaml")+".yaml"); i >= 0 {
		return []input{builtIn(names[i])}, nil
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".yaml")
	}
	return nil, wrong("%s: there is no such file or folder, and the catalogue has no scenario of that name%s", word, spec.Suggest(word, names))
}

// folder are the scenario files that lie directly in a folder.
func folder(dir string) (all []input, err error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, wrong("%w", err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			all = append(all, onDisk(filepath.Join(dir, e.Name())))
		}
	}
	if all == nil {
		return nil, wrong("%s: the folder holds no scenario files (*.yaml)", dir)
	}
	return all, nil
}

func onDisk(file string) input {
	return input{file, func() (*spec.Scenario, error) { return scenarios.Load(file) }}
}

func builtIn(name string) input {
	return input{name, func() (*spec.Scenario, error) { return scenarios.LoadFS(scenarios.Catalogue(), name) }}
}

// catalogue are the names of the files of the built-in catalogue, sorted.
func catalogue() (names []string) {
	files, err := fs.Glob(scenarios.Catalogue(), "*.yaml")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, f := range files {
		names = append(names, path.Base(f))
	}
	return names
}

// load reads and validates the input.
func (in input) load() (*spec.Scenario, error) {
	s, err := in.read()
	if err != nil {
		return nil, err
	}
	return s, scenarios.Validate(s)
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
	first := map[string]string{}
	for _, in := range found {
		s, err := in.load()
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		if other, taken := first[s.Name]; taken {
			mistakes = append(mistakes, wrong("two scenarios are called %s: %s and %s: results have room for one", s.Name, other, in.name))
			continue
		}
		first[s.Name] = in.name
		all = append(all, s)
	}
	if mistakes != nil {
		return nil, status{exitWrong, errors.Join(mistakes...)}
	}
	return all, nil
}
