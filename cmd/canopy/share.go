package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins"
	"canopy/plugins/all"
)

// share is a data server over one directory.
type share struct {
	Directory   string          `arg:"" name:"DIR" help:"The directory to share; it appears at the root of the tree."`
	Listen      configs.Address `default:":8080" placeholder:"ADDRESS" help:"Where to listen; port 0 picks a free one."`
	ReadOnly    bool            `help:"Take no uploads, and delete nothing."`
	Mount       string          `default:"/" placeholder:"PATH" help:"The path of the tree at which the directory appears."`
	Site        string          `placeholder:"NAME" help:"The site that it is at, for those who are told of it."`
	Title       string          `placeholder:"TEXT" help:"What people see as its name; the directory's name if not given."`
	Certificate string          `placeholder:"FILE" help:"Serve https with this certificate, in PEM; needs --key."`
	Key         string          `placeholder:"FILE" help:"The key of the certificate."`
	Htpasswd    string          `placeholder:"FILE" help:"Let only those users change anything whom this file of htpasswd has. Anyone may read."`
	Private     bool            `help:"Let third-party copies reach servers in private networks, and on this machine."`
	Quiet       bool            `short:"q" help:"Log no requests."`
}

// Examples are shown in the help.
func (share) Examples() string {
	return `
canopy share /srv/data                            # at port 8080, for anyone to read and write
canopy share --read-only --listen 127.0.0.1:0 .
canopy share --htpasswd users --certificate c.pem --key k.pem --listen :8443 /srv/data
`
}

// Run serves until it is interrupted.
func (s share) Run(w *world) error {
	root, err := filepath.Abs(s.Directory)
	if err != nil {
		return usage{fmt.Errorf("share: %w", err)}
	}
	if info, err := os.Stat(root); err != nil {
		return usage{fmt.Errorf("share: %w; name a directory that is there", err)}
	} else if !info.IsDir() {
		return usage{fmt.Errorf("share: %s is not a directory", root)}
	}
	if (s.Certificate == "") != (s.Key == "") {
		return usage{fmt.Errorf("share: --certificate and --key go together")}
	}
	if _, err := s.spool(root); err != nil {
		w.warn("there are no resumable uploads: %v", err)
	}
	text, err := s.config(root)
	if err != nil {
		return err
	}
	config, err := configs.Parse("share", text, all.Registry(), os.LookupEnv)
	if err != nil {
		return usage{fmt.Errorf("share: %w", err)}
	}
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	log := slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: level}))
	bridge(log.Handler())
	defer bridge(slog.DiscardHandler)
	options := service.Options{Config: config, Log: log, Build: build()}
	if !s.Quiet {
		options.AccessLog = w.stderr
	}
	served, err := service.Start(context.WithoutCancel(w.ctx), options)
	if err != nil {
		return fmt.Errorf("share: %w", err)
	}
	for _, u := range served.URLs() {
		if _, err := fmt.Fprintf(w.stdout, "%s is at %s%s\n", root, u, strings.TrimPrefix(s.Mount, "/")); err != nil {
			return err
		}
	}
	<-w.ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return served.Close(ctx)
}

// spool is where resumable uploads are gathered, "" for none: in the staging
// directory, which nobody sees, and on the same disk. The error is that it cannot
// be used.
func (s share) spool(root string) (string, error) {
	if s.ReadOnly {
		return "", nil
	}
	staging := filepath.Join(root, plugins.Staging)
	if info, err := os.Lstat(staging); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%s is no directory", staging)
	}
	spool := filepath.Join(staging, "resumable")
	if _, err := os.ReadDir(spool); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return spool, nil
}

// object is a mapping of YAML.
type object map[string]any

// config is the federation of one endpoint that the share is. What is on the
// disk may change at any time, so nothing of it is remembered.
func (s share) config(root string) ([]byte, error) {
	title := s.Title
	if title == "" {
		title = filepath.Base(root)
	}
	listener := object{"address": string(s.Listen)}
	if s.Certificate != "" {
		tls := object{}
		for key, name := range map[string]string{"certificate": s.Certificate, "key": s.Key} {
			file, err := filepath.Abs(name)
			if err != nil {
				return nil, err
			}
			tls[key] = file
		}
		listener["tls"] = tls
	}
	endpoint := object{"name": "share", "type": "local", "root": root, "mount": s.Mount, "write": !s.ReadOnly}
	c := object{
		"listen": []object{listener}, "title": title, "make_parents": false,
		"cache":     object{"ttl": object{"entry": "0s", "listing": "0s", "absent": "0s"}, "stale": "0s"},
		"lookup":    object{"grace": "0s"},
		"transfers": object{"private": s.Private},
		"endpoints": []object{endpoint},
		"log":       object{"format": "text"},
	}
	if s.Site != "" {
		endpoint["site"] = s.Site
		c["geo"] = object{"sites": []object{{"name": s.Site}}}
	}
	if spool, err := s.spool(root); spool != "" && err == nil {
		c["uploads"] = object{"spool": spool}
	}
	anyone := []string{"anyone"}
	rule := object{"path": "/", "read": anyone, "list": anyone}
	switch {
	case s.ReadOnly:
	case s.Htpasswd != "":
		file, err := filepath.Abs(s.Htpasswd)
		if err != nil {
			return nil, err
		}
		c["auth"] = object{"basic": object{"htpasswd": file}}
		rule["write"], rule["delete"] = []string{"authenticated"}, []string{"authenticated"}
	default:
		rule["write"], rule["delete"] = anyone, anyone
	}
	c["access"] = []object{rule}
	return yaml.Marshal(c)
}
