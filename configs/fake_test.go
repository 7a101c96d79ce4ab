package configs_test

import (
	"context"
	"errors"
	"strings"

	"canopy/configs/scalar"
	"canopy/plugins"
)

// registry holds two types made up for the tests. They have no storage.
func registry() *plugins.Registry {
	return plugins.NewRegistry(
		plugins.Type{Name: "dav", Summary: "a server", New: func() plugins.Config { return &davConfig{Depth: 1} }},
		plugins.Type{Name: "local", Summary: "a directory", New: func() plugins.Config { return &localConfig{} }},
	)
}

var errNoStorage = errors.New("made up for tests; there is no storage")

// web is what types that speak HTTP share.
type web struct {
	URL         string      `yaml:"url"`
	Credentials credentials `yaml:"credentials,omitempty"`
}

type credentials struct {
	Basic      *basic        `yaml:"basic,omitempty"`
	Bearer     scalar.Secret `yaml:"bearer,omitempty"`
	BearerFile string        `yaml:"bearer_file,omitempty"`
}

type basic struct {
	User string `yaml:"user" config:"required"`
	// Password forgets to be of a secret type.
	Password string `yaml:"password"`
}

type davConfig struct {
	web     `yaml:",inline"`
	Depth   int               `yaml:"depth"`
	Headers map[string]string `yaml:"headers"`
}

func (c *davConfig) Validate() error {
	switch {
	case !strings.HasPrefix(c.URL, "http"):
		return &plugins.FieldError{Key: "url", Problem: "must begin with https:// or http://"}
	case c.Credentials.Bearer != "" && c.Credentials.BearerFile != "":
		return &plugins.FieldError{Key: "credentials.bearer_file", Problem: "there is a bearer as well; keep one"}
	case c.Depth > 9:
		return errors.New("too deep; look up")
	}
	return nil
}

func (*davConfig) Open(context.Context, plugins.Env) (plugins.Endpoint, error) {
	return nil, errNoStorage
}

type localConfig struct {
	// Root is the directory.
	Root    string      `yaml:"root" config:"required,directory"`
	Reserve scalar.Size `yaml:"reserve"`
}

func (c *localConfig) Validate() error { return nil }

func (*localConfig) Open(context.Context, plugins.Env) (plugins.Endpoint, error) {
	return nil, errNoStorage
}
