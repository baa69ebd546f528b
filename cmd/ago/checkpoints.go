package main

import (
	"path/filepath"
	"strings"

	"ago/message"
	"ago/node"
	"ago/settings"
)

// unitCheckpoints gives the settings of checkpoints that other units can use.
func unitCheckpoints(l *settings.Loaded, dir string) (node.Checkpoints, error) {
	c := node.Checkpoints{
		Upload: l.CheckpointUpload, Bundler: l.UploaderURL, Gateway: graphQLBase(l.GraphqlURL), Second: graphQLBase(l.CheckpointGQL),
		Trusted: l.TrustedOwners, Preferred: l.PreferredOwners, NotFromFiles: l.IgnoreLocal,
		Gas: l.CheckpointGas, Time: l.CheckpointTime, Every: l.CheckpointThrottle, Interval: l.CheckpointEvery,
	}
	if c.Second == c.Gateway {
		c.Second = ""
	}
	if l.CheckpointFiles {
		if c.Files = l.CheckpointDir; c.Files == "" && dir != "" {
			c.Files = filepath.Join(dir, "file_checkpoints")
		}
	}
	var err error
	if c.Ignored, err = parseIDs(l.IgnoreCheckpoints); err == nil {
		c.IgnoredProcesses, err = parseIDs(l.IgnoreArweaveFor)
	}
	return c, err
}

// graphQLBase gives the address of the gateway that a GraphQL address is of.
func graphQLBase(url string) string {
	return strings.TrimSuffix(strings.TrimRight(url, "/"), "/graphql")
}

func parseIDs(texts []string) ([]message.ID, error) {
	ids := make([]message.ID, len(texts))
	for i, t := range texts {
		var err error
		if ids[i], err = message.ParseID(t); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
