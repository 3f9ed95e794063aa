package main

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// shownReasons is how many reasons of a scenario a terminal shows.
const shownReasons = 5

// why is the first thing of a scenario that is as bad as the scenario; empty when it passed.
func why(r *result.Scenario) string {
	if all := r.Reasons(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// whys are the first things of a scenario that are as bad as the scenario, a line or more
// each, and how many more there are.
func whys(r *result.Scenario) string {
	all := r.Reasons()
	if more := len(all) - shownReasons; more > 1 { // the place of one is as well taken by it
		all = append(all[:shownReasons:shownReasons], fmt.Sprintf("and %d more (see result.json)", more))
	}
	return strings.Join(all, "\n")
}
