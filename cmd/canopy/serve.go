package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/configs/source"
	"canopy/plugins/all"
)

// serve is the federator.
type serve struct {
	Config string `short:"c" required:"" placeholder:"FILE" help:"The configuration file."`
}

// Examples are shown in the help.
func (serve) Examples() string {
	return `
canopy serve -c /etc/canopy/canopy.yaml
kill -HUP $(pidof canopy)     # read the file again; it is also watched
`
}

// drainTime bounds how long running requests may take when the service ends.
const drainTime = 30 * time.Second

// Run serves until it is told to end.
func (s serve) Run(w *world) error {
	// Before the file is read: what changes from then on is noticed.
	watch := newWatch(s.Config)
	config, err := load(s.Config)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	log := slog.New(handler(config, w, level))
	bridge(log.Handler())
	defer bridge(slog.DiscardHandler)
	served, err := service.Start(context.WithoutCancel(w.ctx), service.Options{Config: config, Log: log, AccessLog: w.stdout, Build: build()})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	for _, u := range served.URLs() {
		log.Info("serving", "url", u, "endpoints", len(config.Endpoints))
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			log.Info("draining")
			ctx, cancel := context.WithTimeout(context.Background(), drainTime)
			defer cancel()
			return served.Close(ctx)
		case <-tick.C:
			if !watch.changed() {
				continue
			}
		case <-hangup:
		}
		watch = newWatch(s.Config)
		config, err := load(s.Config)
		if err == nil {
			err = served.Reload(w.ctx, config)
		} else {
			served.Refused()
		}
		if err != nil {
			log.Error("the new configuration is refused, the old one stays in force", "err", err)
			continue
		}
		setLevel(level, config)
		log.Info("the new configuration is in force", "endpoints", len(config.Endpoints))
	}
}

// load reads the configuration; what is wrong with it is wrong usage.
func load(file string) (*configs.Config, error) {
	config, err := configs.Load(file, all.Registry())
	var problems source.Problems
	var unreadable *fs.PathError
	if errors.As(err, &problems) || errors.As(err, &unreadable) {
		return nil, usage{err}
	}
	return config, err
}

// handler writes the log as configured.
func handler(c *configs.Config, w *world, level *slog.LevelVar) slog.Handler {
	setLevel(level, c)
	options := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" {
		return slog.NewTextHandler(w.stderr, options)
	}
	return slog.NewJSONHandler(w.stderr, options)
}

func setLevel(level *slog.LevelVar, c *configs.Config) {
	// The configuration knows only levels that slog knows.
	_ = level.UnmarshalText([]byte(c.Log.Level))
}
