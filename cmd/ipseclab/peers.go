package main

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ipseclab/ipseclab/interop"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/scenarios"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// replacements reads NODE=IMAGE or NODE=IMAGE@DRIVER.
func replacements(words []string) (map[string]spec.Replacement, error) {
	all := map[string]spec.Replacement{}
	for _, word := range words {
		node, image, ok := strings.Cut(word, "=")
		image, driver, _ := strings.Cut(image, "@")
		if ok && image != "" && !slices.Contains(images.Names(), image) {
			return nil, wrong("--peer: no image is called %q%s", image, spec.Among(image, images.Names()))
		}
		if _, twice := all[node]; !ok || node == "" || image == "" || twice {
			return nil, wrong("--peer: want NODE=IMAGE or NODE=IMAGE@DRIVER, once for each node, got %q", word)
		}
		all[node] = spec.Replacement{Image: image, Driver: driver}
	}
	return all, nil
}

// withPeers puts real peers in their places in all scenarios that have those.
func withPeers(all []*spec.Scenario, peers map[string]spec.Replacement) ([]*spec.Scenario, error) {
	found := map[string]bool{}
	out := slices.Clone(all)
	for i, s := range all {
		here := map[string]spec.Replacement{}
		for node, r := range peers {
			if _, ok := s.Nodes[node]; ok {
				here[node], found[node] = r, true
			}
		}
		if len(here) == 0 {
			continue
		}
		real, err := s.WithPeers(here)
		if err != nil {
			return nil, wrong("--peer: %w", err)
		}
		out[i] = real
	}
	for _, node := range slices.Sorted(maps.Keys(peers)) {
		if !found[node] {
			return nil, wrong("--peer: no scenario has a node called %q", node)
		}
	}
	return out, nil
}

// peerDriver makes what starts real peers when the first of them is wanted.
type peerDriver struct {
	force string
	log   func(line string)

	once   sync.Once
	driver *interop.Driver
	err    error
}

// of is the driver for a scenario; nil for one without real peers.
func (d *peerDriver) of(s *spec.Scenario) (scenarios.PeerDriver, error) {
	if len(s.Peers()) == 0 {
		return nil, nil
	}
	d.once.Do(func() { d.driver, _, d.err = newPeerDriver(d.force, d.log) })
	if d.err != nil {
		return nil, d.err
	}
	return d.driver, nil
}

func (d *peerDriver) close() {
	if d.driver != nil {
		if err := d.driver.Close(); err != nil {
			d.log(err.Error())
		}
	}
}
