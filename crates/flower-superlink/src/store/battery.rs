//! What every backend of the state must do. [`battery!`] makes a test of each behaviour for a
//! constructor; the tests read like the promises in [`LinkState`](crate::link::state::LinkState).

mod census;
pub(in crate::store) mod joining;
mod life;
mod messages;
pub(in crate::store) mod metrics;
mod nodes;
mod replies;
mod runs;
mod tasks;
mod upkeep;
pub(super) mod world;

/// Instantiates the battery: `battery!(name, constructor)`, or `battery!(of_several name, constructor)` for
/// the states of several SuperLinks that are called in turns.
macro_rules! battery {
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;

            battery!(@whoever_is_called "current_thread", $new);
            battery!(@of_the_one_that_is_called "current_thread", $new);
        }
    };
    (of_several $name:ident, $new:expr) => {
        mod $name {
            use super::*;

            // A call that does not wait is made in a place where others wait for it.
            battery!(@whoever_is_called "multi_thread", $new);
        }
    };
    (@whoever_is_called $flavor:tt, $new:expr) => {
        battery!(@tests $flavor, $new;
            nodes::a_new_key_gets_a_new_node;
            nodes::a_key_that_comes_back_has_its_node_again;
            nodes::a_nodes_wire_stays_with_it;
            nodes::all_nodes_are_listed_with_their_keys;
            nodes::a_node_is_awaited_until_it_has_answered;
            nodes::a_node_that_left_is_unknown;
            nodes::the_owner_of_a_nodes_certificate_stays_known;
            joining::a_node_that_joins_belongs_to_who_made_the_token;
            joining::a_token_is_used_as_often_as_it_says;
            joining::a_key_that_joined_joins_again_as_the_same_node;
            joining::a_token_that_is_over_is_refused;
            joining::a_key_that_is_registered_does_not_join;
            joining::tokens_are_forgotten_a_while_after_their_end;
            joining::a_node_has_its_next_key_once_it_uses_that;
            joining::a_next_key_is_of_one_node_only;
            life::a_registered_node_is_not_online;
            life::each_step_of_a_life_has_its_time;
            life::a_node_that_registered_itself_gets_its_owner;
            life::a_dismissed_key_is_so_until_it_is_enrolled_again;
            life::what_was_seen_of_a_node_stays_with_it;
            life::sessions_follow_each_other;
            life::a_call_of_an_earlier_session_takes_nothing;
            life::a_node_is_heard_in_its_session;
            life::an_unregistered_node_is_forgotten_after_a_while;
            runs::a_run_takes_the_steps_of_a_run_only;
            runs::a_run_keeps_the_account_that_started_it;
            runs::a_finished_run_holds_nothing;
            runs::a_run_begins_again_once;
            runs::each_step_of_a_run_wakes_those_who_wait_for_it;
            runs::a_log_loses_its_oldest_pieces_and_says_so;
            runs::of_a_burst_the_end_is_kept_also_when_a_little_follows;
            runs::a_log_is_read_in_pages_of_a_bounded_size;
            nodes::only_the_message_that_was_handed_out_can_be_confirmed;
            runs::a_log_is_read_from_any_moment_without_loss_or_repetition;
            tasks::a_task_is_claimed_once_until_it_is_revoked;
            tasks::a_token_is_of_use_until_its_run_is_over;
            tasks::the_holder_of_a_token_is_known_while_the_token_is;
            tasks::a_sign_of_life_counts_once_the_run_has_begun;
            tasks::a_run_that_begins_again_has_a_free_task;
            tasks::the_waiting_tasks_are_those_of_runs_that_have_not_begun;
            runs::the_traffic_of_a_run_adds_up;
            metrics::what_replies_say_is_kept_by_node_and_in_total;
            metrics::odd_numbers_and_names_stay_what_they_are;
            metrics::without_points_the_totals_are_kept;
            metrics::older_rounds_keep_their_totals_only;
            metrics::a_round_keeps_a_bounded_number_of_names;
            metrics::metrics_go_with_their_run_and_begin_anew_with_it;
            upkeep::only_a_finished_run_is_deleted_and_nothing_names_it_then;
            upkeep::the_newest_finished_runs_are_kept;
            upkeep::the_runs_of_a_time_are_kept;
            upkeep::a_node_that_is_gone_for_long_is_forgotten;
            upkeep::what_is_kept_is_counted;
            census::what_moves_is_counted;
            messages::a_message_is_handed_out_when_it_is_whole_and_once;
            messages::a_node_is_known_by_the_objects_of_its_messages;
            messages::a_message_that_was_never_confirmed_comes_again;
            messages::what_a_node_took_is_handed_out_again_when_its_key_returns;
            messages::the_same_instruction_again_changes_nothing;
            messages::an_expired_message_is_not_handed_out;
            replies::a_reply_stays_until_it_is_confirmed;
            replies::a_reply_counts_when_it_is_whole;
            replies::half_a_reply_cannot_be_confirmed;
            replies::the_first_reply_counts_and_the_second_is_refused;
            replies::a_reply_from_another_node_is_refused;
            replies::a_reply_must_not_outlive_its_instruction;
            replies::a_stored_reply_counts_though_its_node_is_lost;
            replies::an_error_of_the_superlinks_own_is_pulled_and_confirmed;
            replies::an_error_takes_the_place_of_a_flawed_reply_and_of_no_other;
            messages::objects_of_an_instruction_go_when_it_is_answered;
            messages::an_expired_instruction_is_forgotten_with_its_objects;
            messages::a_stopped_run_takes_and_gives_no_messages;
        );
    };
    // What holds of one SuperLink only. `store/postgres/tests/bounds.rs` has what holds of several.
    (@of_the_one_that_is_called $flavor:tt, $new:expr) => {
        battery!(@tests $flavor, $new;
            // A sign of life that another SuperLink heard counts a little longer: the other may have heard
            // more since, and writes that a little later.
            nodes::a_node_is_online_until_its_time_is_up;
            runs::a_run_without_a_sign_of_life_is_lost;
            runs::a_run_that_never_gives_a_sign_of_life_is_lost;
            replies::why_no_reply_comes_is_told;
            // Each SuperLink has a clock of its own, and is away alone. It moves what it heard itself.
            nodes::leases_move_with_a_clock_that_is_set;
            nodes::who_had_time_left_before_the_superlink_was_away_has_it_again;
            // Each SuperLink watches the processes that it has noted itself, and no other lets go of them.
            tasks::the_process_of_a_task_is_noted;
            tasks::a_claim_that_nobody_uses_expires;
            upkeep::a_run_whose_process_lives_is_not_deleted;
        );
    };
    (@tests $flavor:tt, $new:expr; $($module:ident :: $test:ident;)+) => {
        $(
            #[tokio::test(flavor = $flavor)]
            async fn $test() {
                $module::$test(world::World::new($new)).await;
            }
        )+
    };
}

battery!(
    memory,
    std::sync::Arc::new(crate::store::MemoryState::default())
);

battery!(sqlite, world::durable());

battery!(
    postgres,
    crate::store::postgres::tests::server::fresh().await
);

battery!(
    of_several turns,
    crate::store::postgres::tests::turns::fresh(1).await
);

battery!(
    of_several turns_of_two_calls,
    crate::store::postgres::tests::turns::fresh(2).await
);
