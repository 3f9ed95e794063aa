package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// workflow is what the tests look at of a workflow of GitHub Actions.
type workflow struct {
	Jobs map[string]struct {
		Needs    any               `yaml:"needs"`
		Name     string            `yaml:"name"`
		Outputs  map[string]string `yaml:"outputs"`
		Strategy struct {
			Matrix   any   `yaml:"matrix"`
			FailFast *bool `yaml:"fail-fast"`
		} `yaml:"strategy"`
		Steps []struct {
			ID   string         `yaml:"id"`
			Uses string         `yaml:"uses"`
			Run  string         `yaml:"run"`
			With map[string]any `yaml:"with"`
			Env  map[string]any `yaml:"env"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// document is what the tests look at of an object of Kubernetes.
type document struct {
	Kind string `yaml:"kind"`
	Spec struct {
		CompletionMode       string `yaml:"completionMode"`
		Completions          int    `yaml:"completions"`
		BackoffLimitPerIndex int    `yaml:"backoffLimitPerIndex"`
		Template             struct {
			Spec struct {
				Containers []struct {
					Name         string              `yaml:"name"`
					Args         []string            `yaml:"args"`
					VolumeMounts []map[string]string `yaml:"volumeMounts"`
				} `yaml:"containers"`
				Volumes []map[string]any `yaml:"volumes"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

func readWorkflow(t *testing.T) (w workflow) {
	b, err := os.ReadFile("../../.github/workflows/ci.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(b, &w))
	require.NotEmpty(t, w.Jobs)
	return w
}

// expression is what GitHub Actions puts a value in the place of.
var expression = regexp.MustCompile(`\$\{\{.*?\}\}`)

// commands are those of the program and of make in a script: the words behind each.
func commands(script string) (all [][]string) {
	for line := range strings.Lines(script) {
		line = regexp.MustCompile(`^.*\$\(|\).*$`).ReplaceAllString(strings.TrimSpace(line), "") // of jobs=$(…)
		words := strings.Fields(line)
		for i, word := range words {
			if filepath.Base(word) == "ipseclab" && i == 0 || word == "make" {
				all = append(all, words[i:])
			}
		}
	}
	return all
}

// understood fails unless the command line of the program is.
func understood(t *testing.T, args []string) {
	t.Helper()
	_, err := kong.Must(&cli{}, defaults).Parse(args)
	require.NoError(t, err, "%q", args)
}

// The commands of the workflow exist, with these flags; so do the targets of make, the jobs that others wait
// for, and what the jobs take from the plan.
func TestWorkflow(t *testing.T) {
	w := readWorkflow(t)
	require.Subset(t, slices.Collect(maps.Keys(w.Jobs)), []string{"test", "race", "fuzz", "plan", "interop", "merge"})
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	programs, targets, uploads := 0, 0, []string{}
	for name, j := range w.Jobs {
		needs := []any{}
		switch n := j.Needs.(type) {
		case string:
			needs = append(needs, n)
		case []any:
			needs = n
		}
		for _, n := range needs {
			require.Contains(t, w.Jobs, n, "%s waits for it", name)
		}
		require.NotEmpty(t, j.Steps, name)
		for _, step := range j.Steps {
			if strings.HasPrefix(step.Uses, "actions/upload-artifact@") {
				uploads = append(uploads, name)
			}
			for _, words := range commands(expression.ReplaceAllString(step.Run, "2/3")) {
				if words[0] == "make" {
					targets++
					require.Regexp(t, `(?m)^`+words[1]+`:`, string(makefile))
					continue
				}
				programs++
				understood(t, numbered(words[1:]))
			}
		}
	}
	require.GreaterOrEqual(t, programs, 4, "the plan, the images, the cells and the merge")
	require.GreaterOrEqual(t, targets, 4)
	for _, name := range []string{"test", "fuzz", "plan", "interop", "merge"} {
		require.Contains(t, uploads, name)
	}

	// What the interop job says of its shard is in what the plan prints.
	require.Equal(t, "${{ fromJSON(needs.plan.outputs.jobs) }}", w.Jobs["interop"].Strategy.Matrix)
	require.Equal(t, "${{ steps.list.outputs.jobs }}", w.Jobs["plan"].Outputs["jobs"])
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, ipseclab(t.Context(), []string{"interop", "list", "--driver", "virtual", "--shards", "2", "--format", "github"}, &stdout, &stderr), "%s", &stderr)
	require.Equal(t, 1, strings.Count(stdout.String(), "\n"), "a value of GITHUB_OUTPUT is one line")
	var jobs struct {
		Include []map[string]any `json:"include"`
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &jobs))
	require.Len(t, jobs.Include, 2)
	b, err := yaml.Marshal(w.Jobs["interop"])
	require.NoError(t, err)
	used := regexp.MustCompile(`matrix\.([a-z]+)`).FindAllStringSubmatch(string(b), -1)
	require.GreaterOrEqual(t, len(used), 4)
	for _, m := range used {
		require.Contains(t, jobs.Include[0], m[1])
	}
	require.NotNil(t, w.Jobs["interop"].Strategy.FailFast)
	require.False(t, *w.Jobs["interop"].Strategy.FailFast, "the other shards go on")
}

// numbered puts a number where --shards wants one: expressions are all replaced by a shard.
func numbered(args []string) []string {
	for i, a := range args {
		if a == "--shards" {
			args[i+1] = "3"
		}
	}
	return args
}

func readManifest(t *testing.T, name string) (all []document) {
	b, err := os.ReadFile(filepath.Join("../../deploy/kubernetes", name))
	require.NoError(t, err)
	for _, part := range strings.Split(string(b), "\n---\n") {
		var d document
		require.NoError(t, yaml.Unmarshal([]byte(part), &d), name)
		all = append(all, d)
	}
	return all
}

// The Indexed Job has as many pods as its command has shards, each knows its own, and the merge takes the
// folders of all.
func TestKubernetes(t *testing.T) {
	docs := readManifest(t, "interop.yaml")
	require.Len(t, docs, 2)
	require.Equal(t, "PersistentVolumeClaim", docs[0].Kind)
	job := docs[1]
	require.Equal(t, "Job", job.Kind)
	require.Equal(t, "Indexed", job.Spec.CompletionMode)
	require.Positive(t, job.Spec.BackoffLimitPerIndex)
	pod := job.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	args := pod.Containers[0].Args
	understood(t, args)
	at := slices.Index(args, "--shards")
	require.Positive(t, at)
	require.Equal(t, fmt.Sprint(job.Spec.Completions), args[at+1])
	require.Contains(t, args, "--shard-from-env")
	require.Contains(t, args, "--resume", "a pod that takes another one's place goes on")
	out := args[slices.Index(args, "--out")+1]
	require.Contains(t, out, "$(JOB_COMPLETION_INDEX)")
	var volumes []any
	for _, v := range pod.Volumes {
		volumes = append(volumes, v["name"])
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		require.Contains(t, volumes, m["name"])
	}

	merge := readManifest(t, "merge.yaml")
	require.Len(t, merge, 1)
	args = merge[0].Spec.Template.Spec.Containers[0].Args
	understood(t, args)
	for i := range job.Spec.Completions {
		require.Contains(t, args, strings.ReplaceAll(out, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(i)))
	}
	require.NotContains(t, args, strings.ReplaceAll(out, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(job.Spec.Completions)))
}

// The commands of the Dockerfile are understood, too.
func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile("../../deploy/kubernetes/Dockerfile")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^RUN .*/out/ipseclab (interop .*)$`).FindAllStringSubmatch(string(b), -1)
	require.Len(t, found, 1)
	understood(t, strings.Fields(found[0][1]))
}
