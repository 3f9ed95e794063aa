package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// interopProgress shows how a run of the matrix goes on: as progress does for scenarios.
type interopProgress struct {
	movingLine
	lines io.Writer
	width int // of the longest name
}

func newInteropProgress(lines, stderr io.Writer, cells []matrix.Cell, drivers []matrix.Driver) *interopProgress {
	p, n := &interopProgress{lines: lines}, 0
	for _, c := range cells {
		if slices.Contains(drivers, c.Driver) {
			p.width = max(p.width, len([]rune(c.String())))
			n++
		}
	}
	p.start(stderr, n, "cells")
	return p
}

// cell shows that one has its result. What cases.yaml leaves out and what an earlier run had passed are only counted.
func (p *interopProgress) cell(c result.MatrixCell, kept bool) {
	text := p.text(c, kept)
	if c.Kind == result.KindPassed && (kept || p.bar != nil) || c.Kind == result.KindUnsupported && c.Dir == "" {
		text = ""
	}
	p.above(p.lines, text, 1)
}

func (p *interopProgress) text(c result.MatrixCell, kept bool) string {
	took := rounded(c.Wall).String()
	if kept {
		took = "kept"
	}
	text := fmt.Sprintf("%-15s  %-*s  %s\n", c.Kind, p.width, cellText(c), took)
	if c.Reason != "" {
		text += fmt.Sprintf("                 %s\n", strings.ReplaceAll(c.Reason, "\n", "\n                 "))
	}
	if c.Expected != nil {
		text += fmt.Sprintf("                 accepted failure: %s (%s)\n", c.Expected.Reason, c.Expected.Note)
	}
	return text
}

// cellText is the name of a cell for people.
func cellText(c result.MatrixCell) string {
	id, err := matrix.ParseName(c.ID)
	if err != nil { // of a matrix.json that somebody has made
		return c.ID
	}
	return id.String()
}
