//! What the ports `Fleet` and `Runtime` promise, on sessions of the SuperLink and over a wire: the
//! calling and the serving half of a generation meet in memory, with HTTP/2 and signatures between
//! them. A wire changes nothing.

mod apps;
mod nodes;
mod world;

/// Instantiates the battery: `battery!(name, way)`.
macro_rules! battery {
    ($name:ident, $way:ty) => {
        mod $name {
            use super::*;

            battery!(@tests $way;
                nodes::a_node_has_its_id_again_and_leaves_with_it;
                nodes::a_node_takes_a_message_with_all_that_belongs_to_it_and_answers;
                nodes::a_node_that_waits_gets_its_message_when_the_last_object_arrives;
                nodes::a_node_that_waits_in_vain_is_answered_after_the_hold;
                nodes::a_node_with_less_patience_is_answered_sooner;
                nodes::a_call_held_for_a_nodes_earlier_life_takes_nothing;
                nodes::a_reply_that_comes_twice_is_taken_once;
                nodes::a_node_is_refused_what_is_not_its_own;
                nodes::a_node_does_not_reach_the_objects_of_another;
                nodes::a_node_learns_that_a_run_is_over_from_each_call;
                apps::a_serverapp_that_heard_no_answer_says_everything_again;
                apps::bytes_must_have_the_announced_id_and_children;
                apps::an_object_whose_message_was_answered_meanwhile_counts_as_pushed;
                apps::an_instruction_that_contradicts_its_request_is_refused;
                apps::replies_that_come_close_together_are_given_together;
                apps::an_app_that_asks_again_at_once_does_not_wait_long_for_stragglers;
                apps::an_app_with_less_patience_is_answered_sooner;
                apps::a_lost_node_is_told_while_the_call_is_held;
                apps::an_instruction_that_is_not_known_is_answered_at_once;
                apps::an_instruction_that_was_not_sent_is_answered_with_an_error;
                apps::a_call_held_for_a_stopped_run_is_refused_at_once;
                apps::a_held_call_ends_when_the_daemon_stops;
                apps::an_app_sees_its_nodes_its_run_and_its_log;
            );
        }
    };
    (@tests $way:ty; $($module:ident :: $test:ident;)+) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $test() {
                $module::$test(world::World::<$way>::new().await).await;
            }
        )+
    };
}

battery!(sessions, world::Sessions);
battery!(wire_of_1_20, world::Wire<world::Objects>);
battery!(wire_of_1_23, world::Wire<world::Nodes>);
