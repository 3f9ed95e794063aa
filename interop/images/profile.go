package images

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Profile is what an image is made of. The files are data/*.yaml.
type Profile struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	Suite string `yaml:"suite"` // of Debian: bookworm, trixie

	// Packages are wanted; their dependencies follow. Without are those that
	// are not followed, each with the reason, besides those of data/common.yaml.
	Packages []string  `yaml:"packages"`
	Without  []Without `yaml:"without"`

	// Daemon is the path of the program in the image, and Main the package
	// whose version is the daemon's.
	Daemon string `yaml:"daemon"`
	Main   string `yaml:"main"`

	// NeedsXFRM: the daemon has no data plane of its own and works only where the kernel has ESP.
	NeedsXFRM bool `yaml:"needs-xfrm"`

	// Users that the packages would have made.
	Users []User `yaml:"users"`

	// Kernel: not an image but the user-mode Linux that images run on.
	Kernel bool `yaml:"kernel"`

	// Keep are the folders of kernel modules, below kernel/, that are unpacked; none: all.
	Keep []string `yaml:"keep-modules"`

	Facts []Fact `yaml:"facts"`
}

// Without is a package that an image does well without.
type Without struct {
	Package string `yaml:"package"` // a name, or the beginning of names with a star behind it
	Why     string `yaml:"why"`
}

// User is a line of /etc/passwd, with a group of the same name and number.
type User struct {
	Name string `yaml:"name"`
	ID   int    `yaml:"id"`
	Home string `yaml:"home"`
}

// Fact is what somebody who uses the image should know, and where it comes from.
type Fact struct {
	Text   string `yaml:"text"`
	Source string `yaml:"source"`
}

//go:embed data/*.yaml data/applets.txt
var data embed.FS

// common is what all images share.
type common struct {
	Without []Without `yaml:"without"`
}

var loaded = sync.OnceValues(func() ([]Profile, error) { return loadProfiles(data) })

// Profiles are the images that can be built, and the kernel, sorted by name.
func Profiles() []Profile {
	all, err := loaded()
	if err != nil {
		panic(err) // embedded; a test reads them
	}
	return slices.Clone(all)
}

// Names are those of the images, without the kernel.
func Names() []string {
	var names []string
	for _, p := range Profiles() {
		if !p.Kernel {
			names = append(names, p.Name)
		}
	}
	return names
}

// Named finds a profile.
func Named(name string) (Profile, bool) {
	all := Profiles()
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return all[i], true
}

func loadProfiles(files fs.FS) ([]Profile, error) {
	var shared common
	if err := readYAML(files, "data/common.yaml", &shared); err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "data/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Profile
	for _, name := range names {
		if path.Base(name) == "common.yaml" {
			continue
		}
		var p Profile
		if err := readYAML(files, name, &p); err != nil {
			return nil, err
		}
		p.Without = append(slices.Clone(shared.Without), p.Without...)
		if err := p.check(strings.TrimSuffix(path.Base(name), ".yaml")); err != nil {
			return nil, fmt.Errorf("images: %s: %w", name, err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func readYAML(files fs.FS, name string, into any) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, into, yaml.Strict()); err != nil {
		return fmt.Errorf("images: %s: %w", name, err)
	}
	return nil
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`) // names of images, suites and packages

func (p Profile) check(file string) error {
	switch {
	case p.Name != file:
		return fmt.Errorf("the profile is called %q", p.Name)
	case !validName.MatchString(p.Name), !validName.MatchString(p.Suite):
		return fmt.Errorf("name %q or suite %q is not of lower-case letters, digits, dots and hyphens", p.Name, p.Suite)
	case p.Title == "" || p.Daemon == "" || len(p.Facts) == 0:
		return fmt.Errorf("title, daemon or facts are missing")
	case !slices.Contains(p.Packages, p.Main):
		return fmt.Errorf("main package %q is not among those wanted", p.Main)
	}
	for _, w := range p.Without {
		if w.Package == "" || w.Why == "" {
			return fmt.Errorf("package %q is left out without a reason", w.Package)
		}
	}
	for _, f := range p.Facts {
		if f.Text == "" || f.Source == "" {
			return fmt.Errorf("fact %q has no source", f.Text)
		}
	}
	return nil
}

// leavesOut reports whether a dependency on a package is not followed.
func (p Profile) leavesOut(pkg string) bool {
	return slices.ContainsFunc(p.Without, func(w Without) bool {
		if begin, ok := strings.CutSuffix(w.Package, "*"); ok {
			return strings.HasPrefix(pkg, begin)
		}
		return w.Package == pkg
	})
}
